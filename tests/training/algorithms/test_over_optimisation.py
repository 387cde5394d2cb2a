"""When a rising score counts as over-optimised, from lines by hand to the real trainer."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from tests.training.algorithms.builders import carry_out, events, order, saved_model, saved_reward_model
from training.algorithms import over_optimisation
from training.algorithms.models import load_reward_model
from training.algorithms.over_optimisation import alert_of, is_over_optimised, trend

WINDOW = 6


def noisy(slope: float, count: int, draw: random.Random, noise: float = 0.08) -> list[float]:
    return [slope * place + draw.gauss(0, noise) for place in range(count)]


def test_a_line_without_scatter_has_no_error() -> None:
    found = trend([1.0, 1.5, 2.0, 2.5])

    assert (found.change, found.error) == pytest.approx((1.5, 0.0))


def test_the_bounds_are_those_of_the_textbook() -> None:
    # y = 0, 1, 0, 1: slope 0.2, residuals ±0.2 and ±0.6 (their squares sum to 0.8), S = 5, t of 2 degrees = 2.920.
    found = trend([0.0, 1.0, 0.0, 1.0])

    assert found.change == pytest.approx(0.6)
    assert found.error == pytest.approx(3 * 2.920 * (0.8 / 2 / 5) ** 0.5)


@pytest.mark.parametrize(
    ("scores", "judgements", "wanted"),
    [
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 0.01, -0.01, 0.02, 0.0, 0.01], True),  # flat
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, -0.1, -0.2, -0.3, -0.4, -0.5], True),  # falls
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], False),  # follows by half
        ([0.0, 0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], False),  # a single point
        ([0.0, 0.02, 0.04, 0.06, 0.08, 0.1], [0.0] * 6, False),  # too little to speak of
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 0.9, -0.9, 0.9, -0.9, 0.1], False),  # a judge that says nothing sure
    ],
)
def test_the_score_must_surely_rise_and_the_judge_surely_not_follow(
    scores: list[float], judgements: list[float], wanted: bool
) -> None:
    assert is_over_optimised(scores, judgements) == wanted


def test_noise_alone_and_honest_progress_seldom_alert_and_hacking_mostly_does() -> None:
    draw = random.Random(7)

    def share_of_runs(score_slope: float, judge_slope: float) -> float:
        runs = [(noisy(score_slope, 20, draw), noisy(judge_slope, 20, draw)) for _ in range(200)]
        windows = [
            [(scores[end - WINDOW : end], judged[end - WINDOW : end]) for end in range(WINDOW, 21)]
            for scores, judged in runs
        ]
        return sum(any(is_over_optimised(*pair) for pair in run) for run in windows) / len(runs)

    assert share_of_runs(0.0, 0.0) < 0.05
    assert share_of_runs(0.1, 0.1) < 0.05
    assert share_of_runs(0.1, 0.0) > 0.9


def evaluation(place: int, judge: float) -> dict[str, float]:
    return {
        "held_out_score": 10.0 * place,
        "held_out_score_deviation": 50.0,
        "held_out_judge_score": judge,
        "held_out_judge_deviation": 2.0,
    }


def test_an_alert_waits_for_a_whole_window_and_comes_once_also_after_a_resume() -> None:
    numbers: dict[str, float] = {}
    said = []
    for place in range(9):
        said.append(alert_of(evaluation(place, judge=1.0), numbers, window=WINDOW))
        numbers = json.loads(json.dumps(numbers))  # as through a checkpoint

    assert [text is not None for text in said] == [False] * 5 + [True] + [False] * 3
    assert "rose by 1.00 standard deviations" in str(said[5])  # 5 × 10 of 50


def test_without_a_judge_nothing_is_remembered() -> None:
    numbers: dict[str, float] = {}

    assert alert_of({"held_out_score": 1.0}, numbers, window=WINDOW) is None
    assert numbers == {}


def opposed(folder: Path, of: str) -> str:
    """A judge that wants the contrary of a reward model."""
    shutil.copytree(of, folder)
    network = load_reward_model(of).network
    weights = network.state_dict()
    network.load_state_dict({name: -value if name.startswith("score") else value for name, value in weights.items()})
    network.save_pretrained(folder)
    return str(folder)


def ppo(tmp_path: Path, **config: object) -> Path:
    reward = saved_reward_model(tmp_path / "reward")
    return order(
        tmp_path / "run",
        "ppo",
        {
            "num_epochs": 2, "max_steps": 6, "eval_every": 1, "num_minibatches": 1, "num_critic_warmup": 0,
            "learning_rate": 0.02, "beta": 0.0, "over_optimisation_window": 4, "num_samples": 0, **config,
        },
        init_model=saved_model(tmp_path / "policy"),
        reward_model=reward,
        held_out_reward_model=opposed(tmp_path / "judge", reward),
    )  # fmt: skip


@pytest.mark.parametrize(("reaction", "ends_early"), [("off", False), ("alert", False), ("stop", True)])
def test_the_trainer_measures_alerts_and_stops_with_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reaction: str, ends_early: bool
) -> None:
    monkeypatch.setattr(over_optimisation, "is_over_optimised", lambda scores, judgements: len(scores) == 4)
    directory = ppo(tmp_path, over_optimisation=reaction)

    assert carry_out(directory) == 0

    measured = events(directory, "evaluation")
    alerts = [event["message"] for event in events(directory, "log") if event["message"].startswith("Alert: Over-opt")]
    assert all("held_out_judge_score" in event["values"] for event in measured)
    assert len(alerts) == (reaction != "off")
    assert (len(events(directory, "step")) == 3) == ends_early  # evaluations before step 1 and after 1, 2 and 3
    assert events(directory, "checkpoint")[-1]["is_final"]


def test_a_judge_that_wants_the_contrary_measures_the_contrary(tmp_path: Path) -> None:
    agreeing, opposing = ppo(tmp_path / "a", max_steps=1), ppo(tmp_path / "b", max_steps=1)
    shutil.rmtree(tmp_path / "a" / "judge")
    shutil.copytree(tmp_path / "b" / "reward", tmp_path / "a" / "judge")

    assert carry_out(agreeing) == carry_out(opposing) == 0

    same, contrary = (
        [event["values"]["held_out_judge_score"] for event in events(directory, "evaluation")]
        for directory in (agreeing, opposing)
    )
    assert same[0] == pytest.approx(-contrary[0], abs=1e-4)  # before the first step: the same policy, the same replies


@pytest.mark.parametrize(
    ("config", "judge", "said"),
    [
        ({"over_optimisation_window": 3}, "judge", "over_optimisation_window must lie between 4 and 12"),
        ({"over_optimisation": "perhaps"}, "judge", "over_optimisation must be one of off, alert, stop"),
        ({"eval_every": 0}, "judge", "set eval_every above 0"),
        ({}, "reward", "another one than reward_model"),
    ],
)
def test_an_order_that_cannot_be_judged_is_refused(
    tmp_path: Path, config: dict[str, object], judge: str, said: str
) -> None:
    directory = ppo(tmp_path, **config)
    spec = json.loads((directory / "spec.json").read_text())
    spec["held_out_reward_model"] = str(tmp_path / judge)
    (directory / "spec.json").write_text(json.dumps(spec))

    assert carry_out(directory) == 1

    failure = json.loads((directory / "failure.json").read_text())
    assert failure["kind"] == "configuration"
    assert said in failure["error"]
