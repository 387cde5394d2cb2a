"""What a report on data finds. Expected numbers are derived by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from training.algorithms.data_report import TokenCounts, data_report, length_bias, spread, wilson
from training.algorithms.data_rows import DataRow, data_rows


def ask(text: str) -> str:
    return json.dumps([{"role": "user", "content": text}])


def pair(prompt: str = "a", chosen: str = "yes", rejected: str = "no", split: str = "train") -> dict[str, Any]:
    return {"prompt": ask(prompt), "chosen": chosen, "rejected": rejected, "split": split}


def report(*rows: dict[str, Any], **settings: Any) -> dict[str, Any]:
    limits = {"max_prompt_tokens": 4, "max_completion_tokens": 3, **settings}
    return data_report(list(data_rows(rows)), **limits)


def findings(*rows: dict[str, Any], **settings: Any) -> dict[str, tuple[str, list[int]]]:
    """Name → level and rows of everything found besides that little is held out."""
    found = {one["name"]: (one["level"], one["rows"]) for one in report(*rows, **settings)["findings"]}
    found.pop("unmeasured", None)
    return found


def letters(row: DataRow) -> TokenCounts:
    """A token a character, and a stop token."""
    return TokenCounts(prompt=len(row.prompt_text), completions=tuple(len(text) + 1 for text in row.completions))


def test_good_pairs_have_no_findings() -> None:
    assert findings(pair("a"), pair("b"), pair("c", split="held_out")) == {}


def test_rows_prompts_and_completions_are_counted_by_split() -> None:
    counted = report(pair("a"), pair("a", "one", "two"), pair("b", split="held_out"))["splits"]

    assert counted["train"] == {"rows": 2, "prompts": 1, "completions": 4}
    assert counted["held_out"] == {"rows": 1, "prompts": 1, "completions": 2}


def test_an_identical_pair_is_bad_and_named_by_its_row() -> None:
    assert findings(pair("a"), pair("b", "same", "same")) == {"identical": ("bad", [2])}


def test_an_empty_chosen_reply_is_bad_and_an_empty_rejected_one_a_note() -> None:
    assert findings(pair("a", " ", "no"), pair("b", "yes", "")) == {"empty": ("bad", [1]), "silence": ("note", [2])}


def test_a_ranked_reply_may_be_silence_even_in_the_first_tier() -> None:
    ranking = {"prompt": ask("a"), "completions": ["", "no"], "tiers": [[0], [1]], "split": "train"}

    assert findings(ranking) == {"silence": ("note", [1])}


def test_a_row_that_repeats_an_earlier_one_is_a_duplicate_but_not_across_splits() -> None:
    found = findings(pair("a"), pair("a"), pair("b"), pair("b", split="held_out"))

    assert found["duplicates"] == ("warn", [2])


def test_a_pair_that_is_judged_both_ways_is_a_contradiction() -> None:
    assert findings(pair("a", "x", "y"), pair("a", "y", "x")) == {"contradictions": ("warn", [2])}


def test_a_reply_that_is_wanted_and_unwanted_is_a_contradiction() -> None:
    label = {"prompt": ask("a"), "completion": "x", "split": "train"}

    assert "contradictions" in findings({**label, "label": True}, {**label, "label": False})


def test_held_out_prompts_that_are_trained_on_leak_case_and_spaces_aside() -> None:
    found = findings(pair("What  is it?"), pair("what is IT?", "one", "two", split="held_out"))

    assert found == {"leakage": ("warn", [2])}


def test_nothing_to_train_on_is_bad() -> None:
    assert findings(pair(split="held_out")) == {"untrained": ("bad", [])}


def test_few_held_out_rows_measure_nothing() -> None:
    names = {one["name"] for one in report(pair())["findings"]}
    many = [pair(str(number), split="held_out") for number in range(30)]

    assert "unmeasured" in names
    assert "unmeasured" not in {one["name"] for one in report(pair(), *many)["findings"]}


def test_labels_are_balanced_over_training_rows_alone() -> None:
    rows = [{"prompt": ask(str(n)), "completion": "x", "label": n > 0, "split": "train"} for n in range(20)]
    held_out = {"prompt": ask("h"), "completion": "x", "label": False, "split": "held_out"}

    found = report(*rows, held_out)

    assert found["labels"] == {"desirable": 19, "undesirable": 1, "share": 0.95}
    assert "lopsided" in findings(*rows)
    assert "lopsided" not in findings(*rows[:2])


def test_demonstrations_have_no_labels_and_no_length_bias() -> None:
    found = report({"prompt": ask("a"), "completion": "x", "split": "train"})

    assert (found["labels"], found["length_bias"]) == (None, None)


def test_the_length_bias_counts_equal_lengths_as_a_half() -> None:
    rows = data_rows([pair("a", "long", "x"), pair("b", "x", "long"), pair("c", "ab", "cd"), pair("d", "long", "x")])

    found = length_bias(list(rows))

    assert found is not None
    assert (found["share"], found["comparisons"]) == (0.625, 4)
    # Four prompts with one comparison each: deviations .375, -.625, -.125, .375, their squares sum to .6875.
    assert found["high"] == pytest.approx(min(1.0, 0.625 + 1.959964 * math.sqrt(0.6875) / 4))


def test_comparisons_of_one_prompt_hang_together() -> None:
    together = length_bias(list(data_rows([pair("a", "long", "x")] * 10 + [pair("b", "x", "long")] * 10)))
    apart = [pair(str(n), "long", "x") for n in range(10)] + [pair(str(n), "x", "long") for n in range(10, 20)]
    alone = length_bias(list(data_rows(apart)))

    assert together is not None
    assert alone is not None
    assert together["high"] - together["low"] > 2 * (alone["high"] - alone["low"])


def test_where_the_longer_one_always_wins_the_interval_is_wilsons() -> None:
    found = length_bias(list(data_rows([pair(str(n), "long", "x") for n in range(10)])))

    assert found is not None
    # Wilson with p = 1: low = 1 / (1 + z²/n).
    assert found["low"] == pytest.approx(1 / (1 + 1.959964**2 / 10))
    assert found["high"] == pytest.approx(1.0)
    assert wilson(0.5, 100) == pytest.approx((0.4038315, 0.5961685), abs=1e-6)


def test_a_ranking_compares_every_two_tiers() -> None:
    ranking = {"prompt": ask("a"), "completions": ["b", "aaa", "cc"], "tiers": [[1], [0, 2]], "split": "train"}

    found = length_bias(list(data_rows([ranking])))

    assert found is not None
    assert (found["share"], found["comparisons"]) == (1.0, 2)


def test_a_longer_reply_that_wins_nearly_always_is_a_warning() -> None:
    rows = [pair(str(n), "longer", "x") for n in range(40)]

    assert findings(*rows)["length_bias"][0] == "warn"


def test_overlong_rows_are_counted_in_tokens_and_cut_at_the_limits() -> None:
    rows = [pair("abcdef", "yes", "n"), pair("a", "y", "n")]

    found = report(*rows, count_tokens=letters)

    assert {one["name"]: one["rows"] for one in found["findings"] if one["name"].startswith("over")} == {
        "overlong_prompts": [1],
        "overlong_completions": [1],
    }
    assert found["tokens"]["prompt"]["max"] == 6
    assert found["tokens"]["tree"]["max"] == 4 + 3 + 2  # the prompt's last four, three of "yes" and stop, "n" and stop
    assert found["tokens"]["padded"]["max"] == 2 * (4 + 3)
    assert found["tokens"]["prompt_cut"]["mean"] == 2.5


def test_a_few_overlong_rows_among_many_are_a_note() -> None:
    rows = [pair("abcdef", "y", "n"), *(pair(str(n), "y", "n") for n in range(99))]

    assert findings(*rows, count_tokens=letters)["overlong_prompts"] == ("note", [1])


def test_a_row_that_the_template_refuses_is_bad() -> None:
    def refusing(row: DataRow) -> TokenCounts | None:
        return None if row.number == 2 else letters(row)

    assert findings(pair("a", "y", "n"), pair("b", "y", "n"), count_tokens=refusing) == {"refused": ("bad", [2])}


def test_tokens_of_at_most_so_many_rows_are_counted() -> None:
    rows = [pair(str(n), "y", "n") for n in range(10)]

    assert report(*rows, count_tokens=letters, max_counted=4)["tokens"]["rows"] == 4


def test_findings_come_with_the_gravest_first_and_five_rows_each() -> None:
    rows = [pair(str(n), "yes", "") for n in range(7)] + [pair("z", "same", "same")]

    found = report(*rows)["findings"]

    assert [one["level"] for one in found] == sorted((one["level"] for one in found), key=["bad", "warn", "note"].index)
    (silence,) = [one for one in found if one["name"] == "silence"]
    assert (silence["num_rows"], silence["rows"]) == (7, [1, 2, 3, 4, 5])


def test_rows_that_are_broken_do_not_break_the_report() -> None:
    broken = {"prompt": "no JSON", "chosen": None, "rejected": "x", "split": "train"}

    assert report(broken, {"prompt": None, "chosen": "a", "rejected": None, "split": "elsewhere"})["splits"]
    assert findings(broken)["empty"] == ("bad", [1])


def test_a_spread_is_of_nearest_ranks() -> None:
    assert spread([5, 1, 3, 2, 4]) == {"mean": 3.0, "median": 3, "p95": 5, "max": 5}
    assert spread([]) is None
