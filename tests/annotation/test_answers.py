from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from annotation.answers import (
    Answer,
    AnswerRefused,
    parse_answer,
    to_canonical,
    to_displayed,
)
from annotation.question import Question, pairwise, ranking

EVERYTHING = pairwise(num_strengths=4, allows_both_bad=True)
PLAIN = pairwise(allows_ties=False, allows_cant_judge=False)


def parse(raw: object, question: Question) -> Answer:
    return parse_answer(raw, question=question, num_completions=question.num_completions)


def test_a_tie_is_one_tier() -> None:
    assert parse({"tiers": [[1, 0]]}, pairwise()) == Answer(tiers=[[0, 1]])


@pytest.mark.parametrize(
    ("raw", "question"),
    [
        ({"tiers": [[1], [0]]}, pairwise()),
        ({"tiers": [[1], [0]], "strength": 3}, EVERYTHING),
        ({"tiers": [[0, 1]], "both_bad": True}, EVERYTHING),
        ({"cant_judge": True}, EVERYTHING),
        ({"tiers": [[3], [0, 2], [1]]}, ranking(4)),
    ],
)
def test_an_answer_survives_json(raw: dict[str, Any], question: Question) -> None:
    answer = parse(raw, question)
    assert json.loads(json.dumps(answer.to_json())) == raw
    assert parse(answer.to_json(), question) == answer


BROKEN: list[tuple[str, Any, Question]] = [
    ("not_an_object", [[0], [1]], pairwise()),
    ("unknown_field", {"tiers": [[0], [1]], "winner": 0}, pairwise()),
    ("tiers_malformed", {}, pairwise()),
    ("tiers_malformed", {"tiers": "01"}, pairwise()),
    ("tiers_malformed", {"tiers": [0, 1]}, pairwise()),
    ("tiers_malformed", {"tiers": [["0"], [1]]}, pairwise()),
    ("tiers_malformed", {"tiers": [[False], [True]]}, pairwise()),
    ("empty_tier", {"tiers": [[0], [], [1]]}, pairwise()),
    ("not_all_once", {"tiers": [[0]]}, pairwise()),
    ("not_all_once", {"tiers": [[0], [0, 1]]}, pairwise()),
    ("not_all_once", {"tiers": [[0], [2]]}, pairwise()),
    ("not_all_once", {"tiers": []}, pairwise()),
    ("tie_not_allowed", {"tiers": [[0, 1]]}, PLAIN),
    ("tie_not_allowed", {"tiers": [[0, 1], [2], [3]]}, ranking(4, allows_ties=False)),
    ("cant_judge_not_allowed", {"cant_judge": True}, PLAIN),
    ("cant_judge_alone", {"cant_judge": True, "tiers": [[0], [1]]}, EVERYTHING),
    ("cant_judge_alone", {"cant_judge": True, "strength": 1}, EVERYTHING),
    ("flag_malformed", {"cant_judge": "yes"}, EVERYTHING),
    ("both_bad_not_allowed", {"tiers": [[0, 1]], "both_bad": True}, pairwise()),
    ("both_bad_is_a_tie", {"tiers": [[0], [1]], "both_bad": True, "strength": 1}, EVERYTHING),
    ("strength_missing", {"tiers": [[0], [1]]}, EVERYTHING),
    ("strength_out_of_range", {"tiers": [[0], [1]], "strength": 5}, EVERYTHING),
    ("strength_out_of_range", {"tiers": [[0], [1]], "strength": "3"}, EVERYTHING),
    ("strength_out_of_range", {"tiers": [[0], [1]], "strength": True}, EVERYTHING),
    ("strength_with_tie", {"tiers": [[0, 1]], "strength": 2}, EVERYTHING),
]


@pytest.mark.parametrize(("rule", "raw", "question"), BROKEN)
def test_an_answer_that_breaks_a_rule_is_refused_by_its_name(rule: str, raw: Any, question: Question) -> None:
    with pytest.raises(AnswerRefused) as refused:
        parse(raw, question)
    assert refused.value.rule == rule
    assert str(refused.value)


def test_a_comparison_of_another_size_than_the_question_is_refused() -> None:
    with pytest.raises(AnswerRefused, match="about 4 completions, got 3") as refused:
        parse_answer({"tiers": [[0], [1], [2]]}, question=ranking(4), num_completions=3)
    assert refused.value.rule == "num_completions"


def test_swapping_the_sides_does_not_change_the_stored_answer() -> None:
    left_is_better, right_is_better = Answer(tiers=[[0], [1]], strength=2), Answer(tiers=[[1], [0]], strength=2)
    assert to_canonical(left_is_better, [1, 0]) == to_canonical(right_is_better, [0, 1]) == right_is_better


def test_every_display_order_stores_the_same_answer() -> None:
    stored = Answer(tiers=[[2], [0, 1], [3]])
    for order in permutations(range(4)):
        assert to_canonical(to_displayed(stored, order), order) == stored


def test_places_are_translated_through_the_display_order() -> None:
    # Completion 2 stands first, 0 second, 1 third; the annotator prefers the second place, then the first.
    assert to_canonical(Answer(tiers=[[1], [0], [2]]), [2, 0, 1]).tiers == [[0], [2], [1]]
    assert to_displayed(Answer(tiers=[[0], [2], [1]]), [2, 0, 1]).tiers == [[1], [0], [2]]


def test_no_opinion_has_nothing_to_translate() -> None:
    assert to_canonical(Answer(tiers=None, cant_judge=True), [1, 0]) == Answer(tiers=None, cant_judge=True)


@pytest.mark.parametrize("order", [[0, 0], [1, 2], [0, 1, 2], [0]])
def test_a_display_order_that_does_not_fit_is_refused(order: list[int]) -> None:
    with pytest.raises(AnswerRefused) as refused:
        to_canonical(Answer(tiers=[[0], [1]]), order)
    assert refused.value.rule == "display_order"
