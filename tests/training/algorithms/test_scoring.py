"""Scores of given completions do not depend on who else is scored."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.algorithms.builders import (
    WORDS,
    ask,
    language_model,
    saved_model,
    saved_reward_model,
    tokeniser,
    tokenizer,
)
from training.algorithms import scoring
from training.algorithms.models import ModelInvalid

CONVERSATIONS = [ask(f"Say {' '.join(WORDS[: n + 1])}.") for n in range(6)]
COMPLETIONS = [WORDS[n] for n in range(6)]


def test_log_probabilities_are_those_of_the_network_summed_over_the_reply_and_its_stop_token(tmp_path: Path) -> None:
    found = scoring.completion_logps(saved_model(tmp_path), CONVERSATIONS, COMPLETIONS)
    tree = tokeniser().tree(CONVERSATIONS[3], [COMPLETIONS[3]])
    ids = [*tree.prompt, *tree.completions[0]]
    with torch.no_grad():
        logps = torch.log_softmax(language_model().network(input_ids=torch.tensor([ids])).logits[0], dim=-1)
    start = len(tree.prompt)
    expected = sum(logps[i - 1, ids[i]].item() for i in range(start, len(ids)))
    assert found[3] == pytest.approx(expected, abs=1e-4)


def test_scores_come_in_the_order_asked_whatever_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved_reward_model(tmp_path)
    together = scoring.score_completions(tmp_path, CONVERSATIONS, COMPLETIONS)
    monkeypatch.setattr(scoring, "MICRO_BATCH_TOKENS", 1)
    assert scoring.score_completions(tmp_path, CONVERSATIONS, COMPLETIONS) == pytest.approx(together, abs=1e-5)
    assert len(set(together)) == 6


def test_a_policy_is_no_reward_model_of_several_labels(tmp_path: Path) -> None:
    network = language_model().network
    network.config.num_labels = 2
    network.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelInvalid, match="one output and no bias"):
        scoring.score_completions(tmp_path, CONVERSATIONS, COMPLETIONS)
