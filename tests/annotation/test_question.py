from __future__ import annotations

import json
from typing import Any

import pytest

from annotation.question import Question, QuestionInvalid, demonstration, pairwise, ranking, rating

EVERYTHING = pairwise(
    num_strengths=7,
    allows_both_bad=True,
    rating_points=10,
    aspects=("helpfulness", "honesty"),
    aspect_points=4,
    asks_safety=True,
    on_unsafe_preference="flag",
    flags=("hallucination", "off topic"),
    reasons=("clearer",),
    rationale="sampled",
    rationale_share=0.25,
    asks_spans=True,
    asks_edit=True,
)
OLD = {  # as it was stored before there were more fields
    "kind": "ranking",
    "title": "Which reply is better?",
    "num_completions": 4,
    "num_strengths": 1,
    "allows_ties": True,
    "allows_both_bad": False,
    "allows_cant_judge": True,
}


@pytest.mark.parametrize(
    "question",
    [
        pairwise(),
        EVERYTHING,
        ranking(),
        ranking(7, allows_ties=False, top_k=3),
        ranking(9, allows_unranked=True),
        rating(),
        rating(2, num_completions=9, rationale="required"),
        demonstration(reasons=("hard",), rationale="optional"),
        demonstration(num_completions=2, rating_points=5),
    ],
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
        "top_k": 0,
        "allows_unranked": False,
        "rating_points": 0,
        "aspects": [],
        "aspect_points": 5,
        "asks_safety": False,
        "on_unsafe_preference": "refuse",
        "flags": [],
        "reasons": [],
        "rationale": "none",
        "rationale_share": 0.0,
        "asks_spans": False,
        "asks_edit": False,
    }


def test_a_question_that_was_stored_before_there_were_more_fields_stays_valid() -> None:
    assert Question.from_json(OLD) == ranking(title="Which reply is better?")


def test_one_press_answers_a_plain_pair_and_nothing_else() -> None:
    assert pairwise(num_strengths=7, allows_both_bad=True).is_one_press
    assert not ranking(2).is_one_press
    for extra in ({"rating_points": 2}, {"reasons": ("clearer",)}, {"rationale": "optional"}, {"asks_spans": True}):
        assert not pairwise(**extra).is_one_press


def test_missing_fields_take_their_defaults() -> None:
    assert Question.from_json({"kind": "pairwise"}) == pairwise()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "JSON object, got list"),
        ({}, "kind is missing"),
        ({"kind": "pairwise", "colour": 1, "mood": 2}, "unknown fields in the question: colour, mood"),
    ],
)
def test_what_is_no_question_at_all_is_refused(raw: Any, message: str) -> None:
    with pytest.raises(QuestionInvalid, match=message):
        Question.from_json(raw)


@pytest.mark.parametrize(
    ("field", "raw", "message"),
    [
        ("kind", {"kind": "essay"}, "kind must be one of pairwise, ranking, rating, demonstration, got 'essay'"),
        ("kind", {"kind": 3}, "kind must be str, got 3"),
        ("title", {"title": "  "}, "title must have"),
        ("title", {"title": "x" * 501}, "title must have"),
        ("title", {"title": "which\0"}, "no NUL characters"),
        ("title", {"title": "which \ud800"}, "no lone surrogates"),
        ("num_completions", {"num_completions": 3}, "compares 2 completions, got 3"),
        ("num_completions", {"kind": "ranking", "num_completions": 10}, "must lie in 2–9, got 10"),
        ("num_completions", {"kind": "ranking", "num_completions": 1}, "must lie in 2–9, got 1"),
        ("num_completions", {"kind": "rating", "rating_points": 2, "num_completions": 0}, "must lie in 1–9, got 0"),
        ("num_completions", {"kind": "demonstration", "num_completions": -1}, "must lie in 0–9, got -1"),
        ("num_strengths", {"num_strengths": 8}, "num_strengths must lie in 1–7, got 8"),
        ("num_strengths", {"num_strengths": True}, "num_strengths must be int, got True"),
        ("num_strengths", {"kind": "ranking", "num_strengths": 4}, "has no strengths: num_strengths must be 1, got 4"),
        ("num_strengths", {"kind": "rating", "rating_points": 2, "num_strengths": 4}, "a rating has no strengths"),
        ("allows_ties", {"allows_ties": 1}, "allows_ties must be bool, got 1"),
        ("allows_ties", {"kind": "rating", "rating_points": 5, "allows_ties": False}, "equal points tie"),
        ("allows_both_bad", {"kind": "ranking", "allows_both_bad": True}, "has no 'both bad'.*must be false, got true"),
        ("top_k", {"top_k": 1}, "a pairwise question has no top k"),
        ("top_k", {"kind": "ranking", "num_completions": 4, "top_k": 4}, "top_k must lie in 1–3, got 4"),
        ("allows_unranked", {"allows_unranked": True}, "a pairwise question has no tray"),
        ("allows_unranked", {"kind": "ranking", "num_completions": 3, "top_k": 1, "allows_unranked": True}, "worse"),
        ("rating_points", {"rating_points": 1}, "rating_points must lie in 2–10, got 1"),
        ("rating_points", {"rating_points": 11}, "rating_points must lie in 2–10, got 11"),
        ("rating_points", {"kind": "rating"}, "a rating question needs points"),
        ("rating_points", {"kind": "demonstration", "num_completions": 0, "rating_points": 7}, "there is no reply"),
        ("asks_safety", {"kind": "demonstration", "num_completions": 0, "asks_safety": True}, "there is no reply"),
        ("aspect_points", {"aspect_points": 1}, "aspect_points must lie in 2–10, got 1"),
        ("aspects", {"aspects": "helpfulness"}, "aspects must be a list of str, got 'helpfulness'"),
        ("aspects", {"aspects": ["helpful", 3]}, "aspects must be a list of str"),
        ("aspects", {"aspects": ["Helpful", "helpful"]}, "aspects must differ from each other"),
        ("flags", {"flags": [f"flag {number}" for number in range(21)]}, "flags must be 20 at most, got 21"),
        ("flags", {"flags": ["x" * 61]}, "flags must have 1–60 characters"),
        ("reasons", {"reasons": [" clearer"]}, "no blanks around"),
        ("reasons", {"reasons": [""]}, "reasons must have 1–60 characters"),
        ("on_unsafe_preference", {"on_unsafe_preference": "ask"}, "must be one of refuse, flag, got 'ask'"),
        ("rationale", {"rationale": "sometimes"}, "rationale must be one of none, optional, required"),
        ("rationale_share", {"rationale": "sampled"}, "above 0 and up to 1, got 0"),
        ("rationale_share", {"rationale": "sampled", "rationale_share": 1.5}, "above 0 and up to 1, got 1.5"),
        ("rationale_share", {"rationale": "sampled", "rationale_share": float("nan")}, "must be a number"),
        ("rationale_share", {"rationale": "optional", "rationale_share": 0.5}, "only a sampled rationale"),
        ("rationale_share", {"rationale_share": "half"}, "rationale_share must be float, got 'half'"),
        ("asks_edit", {"kind": "demonstration", "asks_edit": True}, "no best reply to edit"),
    ],
)
def test_a_question_that_breaks_a_rule_names_the_field(field: str, raw: Any, message: str) -> None:
    with pytest.raises(QuestionInvalid, match=message) as refused:
        Question.from_json({"kind": "pairwise", **raw})
    assert refused.value.field == field
