from __future__ import annotations

import json
from typing import Any

import pytest

from annotation.question import Question, QuestionInvalid, pairwise, ranking


@pytest.mark.parametrize(
    "question",
    [pairwise(), pairwise(num_strengths=4, allows_both_bad=True), ranking(), ranking(7, allows_ties=False)],
)
def test_a_question_survives_json(question: Question) -> None:
    assert Question.from_json(json.loads(json.dumps(question.to_json()))) == question


def test_json_keeps_defaults_so_that_a_stored_question_keeps_its_meaning() -> None:
    assert pairwise().to_json() == {
        "kind": "pairwise",
        "title": "Which reply is better?",
        "num_completions": 2,
        "num_strengths": 1,
        "allows_ties": True,
        "allows_both_bad": False,
        "allows_cant_judge": True,
    }


def test_missing_fields_take_their_defaults() -> None:
    assert Question.from_json({"kind": "pairwise"}) == pairwise()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "JSON object, got list"),
        ({}, "kind is missing"),
        ({"kind": "pairwise", "colour": 1, "mood": 2}, "unknown fields in the question: colour, mood"),
        ({"kind": "rating"}, "kind must be one of pairwise, ranking"),
        ({"kind": 3}, "kind must be str, got 3"),
        ({"kind": "pairwise", "title": "  "}, "title must have"),
        ({"kind": "pairwise", "title": "x" * 501}, "title must have"),
        ({"kind": "pairwise", "num_completions": 3}, "compares 2 completions, got 3"),
        ({"kind": "pairwise", "num_strengths": 8}, "num_strengths must lie in 1–7, got 8"),
        ({"kind": "pairwise", "num_strengths": True}, "num_strengths must be int, got True"),
        ({"kind": "pairwise", "allows_ties": 1}, "allows_ties must be bool, got 1"),
        ({"kind": "ranking", "num_completions": 10}, "num_completions must lie in 2–9, got 10"),
        ({"kind": "ranking", "num_completions": 4, "num_strengths": 4}, "num_strengths must be 1|no strengths"),
        ({"kind": "ranking", "num_completions": 4, "allows_both_bad": True}, "no 'both bad'"),
    ],
)
def test_a_question_that_breaks_a_rule_names_it(raw: Any, message: str) -> None:
    with pytest.raises(QuestionInvalid, match=message):
        Question.from_json(raw)
