"""The log-probabilities of the tokens that were drawn, with their likeliest rivals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from generation.engines.base import TokenLogprob, storable


class LogprobRecorder:
    """Listens to `sample_tokens`: one list of TokenLogprobs for each of R rows.

    Log-probabilities are those at temperature 1 before top_p, among the tokens that may be drawn at all.
    """

    def __init__(self, num_rows: int, *, num_top: int, token_text: Callable[[int], str]) -> None:
        self.rows: list[list[TokenLogprob]] = [[] for _ in range(num_rows)]
        self._num_top = num_top
        self._token_text = token_text

    def __call__(self, rows_R: Tensor, logits_RV: Tensor, tokens_R: Tensor) -> None:
        """Note one draw in each of these rows."""
        logps_RV = torch.log_softmax(logits_RV.float(), dim=-1)
        drawn_R = logps_RV.gather(-1, tokens_R[:, None])[:, 0]
        tops_RK, ids_RK = logps_RV.topk(min(self._num_top, logps_RV.shape[-1]))
        columns: Any = zip(
            rows_R.tolist(), tokens_R.tolist(), drawn_R.tolist(), ids_RK.tolist(), tops_RK.tolist(), strict=True
        )
        for row, token, logp, ids, tops in columns:
            text = storable(self._token_text(token))
            self.rows[row].append(TokenLogprob(token=text, logprob=logp, top=self._top(text, logp, ids, tops)))

    def _top(self, drawn: str, logp: float, ids: list[int], tops: list[float]) -> dict[str, float]:
        """Of tokens that read alike (parts of one character) the likelier counts; impossible ones do not."""
        top: dict[str, float] = {}
        for token, alternative in zip(ids, tops, strict=True):
            if alternative > float("-inf"):
                top.setdefault(storable(self._token_text(token)), alternative)
        top.setdefault(drawn, logp)
        return top
