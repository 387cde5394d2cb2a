"""Demonstrations: right, but in a stated share wordier than asked for."""

import pytest

from annotation.judging import rubric
from generation import starter
from generation.starter.demonstrations import demonstrate

PROMPTS = starter.generate(num_prompts=400, seed=3)


def test_every_demonstration_holds_the_right_answer() -> None:
    replies = demonstrate(PROMPTS, careless_share=0.5, seed=1)
    assert all(prompt.reference in reply for prompt, reply in zip(PROMPTS, replies, strict=True))


def test_about_the_stated_share_is_wordy() -> None:
    replies = demonstrate(PROMPTS, careless_share=0.4, seed=1)
    num_wordy = sum(prompt.reference != reply for prompt, reply in zip(PROMPTS, replies, strict=True))
    assert 120 <= num_wordy <= 200


def test_a_share_of_zero_gives_the_plain_answers() -> None:
    assert demonstrate(PROMPTS, careless_share=0.0, seed=1) == [prompt.reference for prompt in PROMPTS]


def test_the_same_seed_gives_the_same_demonstrations() -> None:
    assert demonstrate(PROMPTS, careless_share=0.4, seed=5) == demonstrate(PROMPTS, careless_share=0.4, seed=5)


def test_both_rubrics_prefer_the_plain_answer() -> None:
    replies = demonstrate(PROMPTS, careless_share=1.0, seed=2)
    for judge in (rubric.strict(), rubric.lenient()):
        for prompt, reply in zip(PROMPTS, replies, strict=True):
            assert judge.score(prompt.reference, reply) < judge.score(prompt.reference, prompt.reference)


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got 1\.5"):
        demonstrate(PROMPTS, careless_share=1.5, seed=0)
