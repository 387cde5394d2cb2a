"""Signs of a run gone wrong: each said once, held to the first rollout, and kept across a resume."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.algorithms.builders import carry_out, events, order, saved_model, saved_reward_model
from training.algorithms import ppo_guards
from training.algorithms.ppo_guards import new_signs

GOOD = {"first_ratio": 1.0, "eos_rate": 0.8, "response_length": 10.0, "entropy": 2.0, "explained_variance": 0.3}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"first_ratio": 1.2}, "ratio of 1.20 instead of 1"),
        ({"eos_rate": 0.3}, "fell from 80% to 30%"),
        ({"response_length": 21.0}, "grew from 10.0 to 21.0 tokens"),
        ({"entropy": 0.4}, "Entropy fell from 2.00 to 0.40"),
    ],
)
def test_a_sign_is_said_once(change: dict[str, float], said: str) -> None:
    numbers: dict[str, float] = {}
    assert new_signs(GOOD, numbers) == []
    (text,) = new_signs({**GOOD, **change}, numbers)
    assert said in text
    assert new_signs({**GOOD, **change}, dict(numbers)) == []  # as after a resume


def test_a_critic_is_harmful_after_five_rollouts_in_a_row() -> None:
    numbers: dict[str, float] = {}
    bad = {**GOOD, "explained_variance": -0.1}
    seen = [new_signs(values, numbers) for values in [bad] * 4 + [GOOD] + [bad] * 5]
    assert [len(texts) for texts in seen] == [0] * 9 + [1]


def test_a_score_that_rises_while_the_held_out_judge_is_flat_is_over_optimised_after_three_rollouts() -> None:
    first = {**GOOD, "score": 1.0, "score_deviation": 2.0, "judge_score": 5.0, "judge_deviation": 0.5}
    gamed = {**first, "score": 5.0, "judge_score": 5.2}  # 2 deviations, and 0.4 for the judge
    earned = {**first, "score": 5.0, "judge_score": 5.3}  # 0.6 of 2 is more than a quarter
    numbers: dict[str, float] = {}
    said = [new_signs(values, numbers) for values in (first, gamed, gamed, earned, gamed, gamed, gamed, gamed)]
    assert [len(texts) for texts in said] == [0, 0, 0, 0, 0, 0, 1, 0]
    assert "rose by 2.0 deviations of the first replies', and by 0.4 for the held-out judge" in said[6][0]


@pytest.mark.parametrize(("guards", "num_steps", "num_alerts"), [("off", 3, 0), ("alert", 3, 1), ("stop", 1, 1)])
def test_a_guard_says_nothing_alerts_or_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guards: str, num_steps: int, num_alerts: int
) -> None:
    monkeypatch.setattr(ppo_guards, "MAX_LENGTH", 0.5)  # the first rollout is too long already
    directory = order(
        tmp_path / "run",
        "ppo",
        {"max_steps": 3, "num_minibatches": 1, "guards": guards},
        init_model=saved_model(tmp_path / "policy"),
        reward_model=saved_reward_model(tmp_path / "reward"),
    )
    assert carry_out(directory) == 0
    assert len(events(directory, "step")) == num_steps
    messages = [event["message"] for event in events(directory, "log")]
    assert len([text for text in messages if text.startswith("Alert: Replies grew")]) == num_alerts
    assert events(directory, "checkpoint")[-1]["is_final"]
