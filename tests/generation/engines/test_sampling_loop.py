from __future__ import annotations

from typing import Any

import pytest
import torch

from generation.engines.sampling_loop import draw, pad_left, sample_tokens

PROMPTS = [[5, 6, 7], [9, 10, 11, 12, 13, 14, 15], [20]]


def never(tokens: list[int]) -> bool:
    return False


def run(
    model: Any, prompts: list[list[int]], *, temperature: float = 1.0, length: int = 8, seed: int = 0
) -> list[list[int]]:
    uniforms = torch.rand(len(prompts), length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return sample_tokens(model, prompts, uniforms, temperature=temperature, top_p=1.0, ends_reply=never)


def test_greedy_replies_equal_those_of_transformers(model: Any) -> None:
    replies = run(model, PROMPTS, temperature=0.0)
    for prompt, reply in zip(PROMPTS, replies, strict=True):
        expected = model.generate(
            torch.tensor([prompt]), do_sample=False, max_new_tokens=8, eos_token_id=None, pad_token_id=0
        )
        assert reply == expected[0, len(prompt) :].tolist()


def test_a_row_draws_the_same_alone_and_among_others(model: Any) -> None:
    uniforms = torch.rand(3, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    options: Any = {"temperature": 1.0, "top_p": 0.9, "ends_reply": never}
    together = sample_tokens(model, PROMPTS, uniforms, **options)
    alone = [
        sample_tokens(model, [prompt], uniforms[row : row + 1], **options)[0] for row, prompt in enumerate(PROMPTS)
    ]
    assert together == alone


def test_rows_that_end_leave_the_others_as_they_are(model: Any) -> None:
    uniforms = torch.rand(6, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    options: Any = {"temperature": 1.0, "top_p": 1.0}
    whole = sample_tokens(model, PROMPTS, uniforms, ends_reply=never, **options)
    lengths = [3, 8, 1, 5, 2, 8]
    ends = {tuple(reply[:length]) for reply, length in zip(whole, lengths, strict=True)}
    cut = sample_tokens(model, PROMPTS, uniforms, ends_reply=lambda tokens: tuple(tokens) in ends, **options)
    assert cut == [reply[:length] for reply, length in zip(whole, lengths, strict=True)]


def test_no_logits_are_computed_once_all_rows_have_ended(model: Any) -> None:
    seen: list[int] = []

    def ends(tokens: list[int]) -> bool:
        seen.append(len(tokens))
        return True

    sample_tokens(model, PROMPTS, torch.rand(3, 8), temperature=1.0, top_p=1.0, ends_reply=ends)
    assert seen == [1, 1, 1]


def test_draws_follow_the_distribution() -> None:
    probs = torch.tensor([0.5, 0.3, 0.2])
    uniforms = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    tokens = draw(probs.log().repeat(1000, 1), uniforms, temperature=1.0, top_p=1.0)
    assert tokens.bincount(minlength=3).tolist() == [500, 300, 200]


def test_a_lower_temperature_sharpens() -> None:
    # Squared and normalised: .25, .09, .04 over .38.
    probs = torch.tensor([0.5, 0.3, 0.2])
    uniforms = (torch.arange(3800, dtype=torch.float64) + 0.5) / 3800
    tokens = draw(probs.log().repeat(3800, 1), uniforms, temperature=0.5, top_p=1.0)
    assert tokens.bincount(minlength=3).tolist() == [2500, 900, 400]


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    # .4 alone does not reach .6, with .35 it does: 40 and 35 parts of 75.
    probs = torch.tensor([0.05, 0.35, 0.2, 0.4])
    uniforms = (torch.arange(750, dtype=torch.float64) + 0.5) / 750
    tokens = draw(probs.log().repeat(750, 1), uniforms, temperature=1.0, top_p=0.6)
    assert tokens.bincount(minlength=4).tolist() == [0, 350, 0, 400]


@pytest.mark.parametrize("top_p", [1.0, 0.9])
@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_an_impossible_token_is_never_drawn(top_p: float, uniform: float) -> None:
    logits = torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf]])
    token = draw(logits, torch.tensor([uniform], dtype=torch.float64), temperature=1.0, top_p=top_p)
    assert token.item() in (1, 2)


def test_padding_stands_on_the_left() -> None:
    ids, mask = pad_left([[7, 8, 9], [5]])
    assert ids.tolist() == [[7, 8, 9], [0, 0, 5]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
