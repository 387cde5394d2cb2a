"""Algorithms on preferences, as whole runs on tiny models: what their losses are made of, and what they refuse."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.training.algorithms.builders import (
    WORDS,
    carry_out,
    events,
    failure,
    language_model,
    order,
    ranking_rows,
    rows,
    saved_model,
    tokeniser,
)
from training.algorithms.config import RewardConfig
from training.algorithms.examples import PreferencePair, RankedReplies
from training.algorithms.judged_trees import paired_tree, ranked_tree
from training.algorithms.kto import next_with_another_prompt, summed_logps
from training.algorithms.policy_runs import count_examples

PROMPT = [{"role": "user", "content": "Say bee."}]


def run(tmp_path: Path, algorithm: str, name: str = "run", **settings: Any) -> Path:
    """A run directory with data of the algorithm's, or those given."""
    data = settings.pop("data", None)
    return order(
        tmp_path / name,
        algorithm,
        {"max_steps": 3, **settings},
        data=data,
        init_model=saved_model(tmp_path / "policy"),
    )


def first_loss(directory: Path) -> float:
    assert carry_out(directory) == 0, failure(directory)
    return float(events(directory, "step")[0]["values"]["loss"])


@pytest.mark.parametrize(
    ("algorithm", "settings", "expected"),
    [
        ("dpo", {"loss": "ipo"}, 25.0),  # (1 / (2 · .1))²
        ("dpo", {"loss": "ipo", "length_normalised": False}, 25.0),
        ("dpo", {"loss": "hinge"}, 1.0),
        ("dpo", {"label_smoothing": 0.2, "robust": True, "length_normalised": True}, math.log(2)),
        ("kto", {"beta": 0.3}, 0.5),
        ("reward", {"ties": "none"}, math.log(2)),
    ],
)
def test_the_first_loss_is_the_closed_form(
    tmp_path: Path, algorithm: str, settings: dict[str, Any], expected: float
) -> None:
    assert first_loss(run(tmp_path, algorithm, **settings)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, math.log(2)),
        # Each pair ties with probability ¼: rankings of two tiers have one tie among their three pairs, half have none.
        ({"ties": "davidson"}, (math.log(8 / 3) * 5 + math.log(4)) / 6),
        ({"ties": "rao_kupper"}, (math.log(8 / 3) * 5 + math.log(4)) / 6),
        # 3! orders are equally likely; of a tie at the end the mean over its orders is as likely as each of them.
        ({"ranking_loss": "plackett_luce"}, math.log(6)),
    ],
)
def test_a_reward_model_on_rankings_starts_at_what_chance_says(
    tmp_path: Path, settings: dict[str, Any], expected: float
) -> None:
    data = [{**row, "split": "train"} for row in ranking_rows(8)]
    directory = run(tmp_path, "reward", data=data, batch_size=8, **settings)
    assert first_loss(directory) == pytest.approx(expected, abs=1e-5)


def test_a_ranking_weighs_as_much_as_its_prompt_and_its_accuracy_is_that_of_decided_pairs() -> None:
    ranking = RankedReplies(prompt=PROMPT, completions=WORDS[:3], tiers=((2,), (0, 1)), weight=2.0)
    plain = ranked_tree(ranking, RewardConfig(), tokeniser())
    assert [(pair.chosen, pair.rejected, pair.weight, pair.share) for pair in plain.pairs] == [
        (2, 0, 1.0, 0.5),
        (2, 1, 1.0, 0.5),
    ]
    tied = ranked_tree(ranking, RewardConfig(ties="davidson"), tokeniser())
    assert sum(pair.weight for pair in tied.pairs) == pytest.approx(2.0)
    assert [(pair.p_tied, pair.share) for pair in tied.pairs] == [(0.0, 0.5), (0.0, 0.5), (1.0, 0.0)]
    assert len(tied.tree.completions) == 3


def test_the_votes_of_a_pair_become_a_soft_label_and_its_strength_a_margin() -> None:
    pair = PreferencePair(
        prompt=PROMPT, chosen="bee", rejected="cat", weight=1.0, p_chosen=0.75, p_tied=0.3, strength=2.0
    )
    (hard,) = paired_tree(pair, RewardConfig(margin=0.5), tokeniser()).pairs
    assert (hard.p_chosen, hard.p_tied, hard.margin) == (1.0, 0.0, 1.0)
    (soft,) = paired_tree(pair, RewardConfig(soft_labels=True), tokeniser()).pairs
    assert (soft.p_chosen, soft.p_tied) == (0.75, 0.0)
    (tied,) = paired_tree(pair, RewardConfig(soft_labels=True, ties="davidson"), tokeniser()).pairs
    assert [tied.p_chosen, tied.p_tied] == pytest.approx([0.6, 0.3])


@pytest.mark.parametrize(
    ("data", "settings", "said"),
    [
        (ranking_rows(), {"soft_labels": True}, "soft_labels is for pairs, and these rows are rankings"),
        (ranking_rows(), {"margin": 1.0}, "margin is for pairs"),
        (rows("reward"), {"ranking_loss": "plackett_luce"}, "ranking_loss is for rankings, and these rows are pairs"),
        (rows("reward"), {"ties": "davidson"}, "Set soft_labels, or train on rankings"),
        ([{**row, "tiers": [[0, 1, 2]]} for row in ranking_rows()], {}, "Every ranking is one big tie"),
    ],
)
def test_settings_that_speak_of_what_the_rows_do_not_have_are_refused(
    tmp_path: Path, data: list[dict[str, Any]], settings: dict[str, Any], said: str
) -> None:
    directory = run(tmp_path, "reward", data=data, **settings)
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "configuration"
    assert said in failure(directory)["error"]


def test_a_ranking_that_is_one_big_tie_is_counted_and_left_out(tmp_path: Path) -> None:
    data = ranking_rows()
    data[0]["tiers"] = [[0, 1, 2]]
    directory = run(tmp_path, "reward", data=data)
    assert carry_out(directory) == 0
    assert events(directory, "log")[0]["message"].startswith("1 rankings are one big tie")


@pytest.mark.parametrize("algorithm", ["kto", "orpo", "simpo", "reward"])
def test_the_size_of_a_micro_batch_does_not_change_the_loss(tmp_path: Path, algorithm: str) -> None:
    losses = []
    data = ranking_rows() if algorithm == "reward" else None
    for name, tokens in (("whole", 16_384), ("parts", 1)):
        directory = run(tmp_path, algorithm, name, micro_batch_tokens=tokens, learning_rate=1e-3, data=data)
        assert carry_out(directory) == 0
        losses.append([event["values"]["loss"] for event in events(directory, "step")])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert losses[0][0] != losses[0][-1]


def test_the_mismatched_reply_of_kto_is_that_of_the_next_other_prompt_round_the_end() -> None:
    assert next_with_another_prompt([(1,), (1,), (2,), (3,), (1,)]) == [2, 2, 3, 4, 2]
    prompts = [tokeniser().tree(PROMPT, [word]) for word in WORDS[:3]]
    found = summed_logps(language_model(), prompts, pad_id=0, max_tokens=1)
    alone = [summed_logps(language_model(), [tree], pad_id=0, max_tokens=1_000).item() for tree in prompts]
    assert found.tolist() == pytest.approx(alone, abs=1e-5)
    assert count_examples([4, 5]) == 2.0


def test_kto_with_one_prompt_has_no_baseline_and_says_so(tmp_path: Path) -> None:
    data = [{**row, "prompt": rows("kto")[0]["prompt"]} for row in rows("kto")]
    directory = run(tmp_path, "kto", data=data)
    assert carry_out(directory) == 1
    assert failure(directory) == {
        "kind": "data_error",
        "error": "KTO needs replies to two prompts or more: its baseline is a reply to another prompt.",
    }
