"""Every rule that an answer can break, by its name; and what is just inside each of them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from annotation.answers import Answer, AnswerRefused, parse_answer
from annotation.question import Question, demonstration, pairwise, ranking, rating
from tests.annotation.test_answers import BROKEN as BROKEN_ORDERS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/reference/questions.md"
FIRST = {"tiers": [[0], [1]]}
TIE = {"tiers": [[0, 1]]}
RATED = pairwise(rating_points=7)
ASPECTS = pairwise(aspects=("helpful", "honest"), aspect_points=4)
SAFETY = pairwise(asks_safety=True)
FLAGS = pairwise(flags=("wrong", "rude"))
REASONS = pairwise(reasons=("clearer", "kinder"))
TOP = ranking(4, top_k=2)
TRAY = ranking(4, allows_unranked=True)
STARS = rating(5, num_completions=3)
SPANS = pairwise(asks_spans=True)
EDIT = pairwise(asks_edit=True, allows_both_bad=True)
WHY = pairwise(rationale="required")
WRITE = demonstration()


def span(**changes: Any) -> dict[str, Any]:
    return {**FIRST, "spans": [{"completion": 0, "start": 0, "end": 2, "label": "good", **changes}]}


def edited(**changes: Any) -> dict[str, Any]:
    return {**FIRST, "edited": {"completion": 0, "text": "Better.", **changes}}


def parse(raw: dict[str, Any], question: Question, **options: Any) -> Answer:
    return parse_answer(raw, question=question, num_completions=question.num_completions, **options)


BROKEN: list[tuple[str, dict[str, Any], Question]] = [
    ("unranked_malformed", {**FIRST, "unranked": "2"}, TRAY),
    ("unranked_malformed", {**FIRST, "unranked": [[2, 3]]}, TRAY),
    ("unranked_not_allowed", {"tiers": [[0], [1], [2]], "unranked": [3]}, ranking(4)),
    ("not_all_once", {"tiers": [[0], [1]], "unranked": [3]}, TRAY),
    ("not_all_once", {"tiers": [[0], [1]], "unranked": [1, 2, 3]}, TRAY),
    ("not_all_once", {"tiers": [[0], [1]]}, TRAY),
    ("not_all_once", {"tiers": [[0], [1]], "unranked": [3]}, TOP),
    ("too_few_ranked", {"tiers": [[0]], "unranked": [1, 2, 3]}, TRAY),
    ("top_k", {"tiers": [[0], [1], [2]]}, TOP),
    ("top_k", {"tiers": [[0]]}, TOP),
    ("ratings_not_asked", {**FIRST, "ratings": [1, 2]}, pairwise()),
    ("ratings_malformed", {**FIRST, "ratings": [1]}, RATED),
    ("ratings_malformed", {**FIRST, "ratings": {"0": 1}}, RATED),
    ("rating_out_of_range", {**FIRST, "ratings": [8, 1]}, RATED),
    ("rating_out_of_range", {**FIRST, "ratings": [1, 0]}, RATED),
    ("rating_out_of_range", {**FIRST, "ratings": [True, 1]}, RATED),
    ("rating_missing", FIRST, RATED),
    ("rating_missing", {**FIRST, "ratings": [3, None]}, RATED),
    ("rating_missing", {"ratings": [3, None, 2]}, STARS),
    ("rating_missing", {"tiers": [[0], [1], [2]]}, STARS),
    ("rating_contradicts_order", {**FIRST, "ratings": [3, 4]}, RATED),
    ("tiers_contradict_ratings", {"ratings": [3, 4, 4], "tiers": [[0], [1], [2]]}, STARS),
    ("aspects_malformed", {**FIRST, "aspects": [1, 2]}, ASPECTS),
    ("aspects_malformed", {**FIRST, "aspects": {"helpful": [1]}}, ASPECTS),
    ("aspect_unknown", {**FIRST, "aspects": {"kind": [1, 2]}}, ASPECTS),
    ("aspect_out_of_range", {**FIRST, "aspects": {"helpful": [1, 5], "honest": [1, 1]}}, ASPECTS),
    ("aspect_missing", {**FIRST, "aspects": {"helpful": [1, 2]}}, ASPECTS),
    ("aspect_missing", {**FIRST, "aspects": {"helpful": [1, 2], "honest": [None, 2]}}, ASPECTS),
    ("safety_not_asked", {**FIRST, "safety": ["safe", "safe"]}, pairwise()),
    ("safety_malformed", {**FIRST, "safety": ["safe", "harmless"]}, SAFETY),
    ("safety_malformed", {**FIRST, "safety": [["safe"], "safe"]}, SAFETY),
    ("safety_missing", {**FIRST, "safety": ["safe", None]}, SAFETY),
    ("unsafe_preference", {**FIRST, "safety": ["unsafe", "safe"]}, SAFETY),
    (
        "unsafe_preference",
        {"tiers": [[0], [1]], "safety": ["unsafe", "unsafe", "safe", None]},
        ranking(4, top_k=2, asks_safety=True),
    ),
    ("unsafe_preference", {"ratings": [2, 1], "safety": ["unsafe", "safe"]}, rating(2, 2, asks_safety=True)),
    ("flags_malformed", {**FIRST, "flags": [["wrong"]]}, FLAGS),
    ("flags_malformed", {**FIRST, "flags": ["wrong", "rude"]}, FLAGS),
    ("flag_unknown", {**FIRST, "flags": [["long"], []]}, FLAGS),
    ("flag_unknown", {**FIRST, "flags": [["wrong"], []]}, pairwise()),
    ("reasons_malformed", {**FIRST, "reasons": "clearer"}, REASONS),
    ("reason_unknown", {**FIRST, "reasons": ["longer"]}, REASONS),
    ("rationale_not_asked", {**FIRST, "rationale": "It is right."}, pairwise()),
    ("rationale_malformed", {**FIRST, "rationale": 3}, WHY),
    ("rationale_malformed", {**FIRST, "rationale": "nul \0"}, WHY),
    ("rationale_malformed", {**FIRST, "rationale": "\ud800"}, WHY),
    ("rationale_too_long", {**FIRST, "rationale": "x" * 5001}, WHY),
    ("rationale_missing", FIRST, WHY),
    ("rationale_missing", {**FIRST, "rationale": " \n"}, WHY),
    ("spans_not_asked", span(), pairwise()),
    ("spans_malformed", {**FIRST, "spans": {"completion": 0}}, SPANS),
    ("spans_malformed", {**FIRST, "spans": ["0–3"]}, SPANS),
    ("spans_malformed", {**FIRST, "spans": [span()["spans"][0]] * 201}, SPANS),
    ("spans_malformed", span(note="x"), SPANS),
    ("spans_malformed", span(completion=2), SPANS),
    ("spans_malformed", span(label="nice"), SPANS),
    ("span_empty", span(end=0), SPANS),
    ("span_empty", span(start=-1), SPANS),
    ("span_empty", span(start=1.5), SPANS),
    ("span_outside", span(end=6), SPANS),
    ("edit_not_asked", edited(), pairwise()),
    ("edited_malformed", {**FIRST, "edited": "Better."}, EDIT),
    ("edited_malformed", edited(text=" "), EDIT),
    ("edited_malformed", edited(text=None), EDIT),
    ("edited_malformed", edited(completion=2), EDIT),
    ("edited_too_long", edited(text="x" * 100_001), EDIT),
    ("edit_the_best", edited(completion=1), EDIT),
    ("edit_the_best", {**edited(), **TIE, "both_bad": True}, EDIT),
    ("demonstration_not_asked", {**FIRST, "demonstration": "Hello."}, pairwise()),
    ("demonstration_missing", {"demonstration": "  "}, WRITE),
    ("demonstration_missing", {}, WRITE),
    ("demonstration_malformed", {"demonstration": ["Hello."]}, WRITE),
    ("demonstration_too_long", {"demonstration": "x" * 100_001}, WRITE),
    ("order_not_asked", {"demonstration": "Hello.", "tiers": [[0], [1]]}, WRITE),
    ("strength_out_of_range", {"demonstration": "Hello.", "strength": 2}, WRITE),
    ("both_bad_not_allowed", {"demonstration": "Hello.", "both_bad": True}, WRITE),
    ("cant_judge_alone", {"cant_judge": True, "ratings": [1, 1]}, RATED),
    ("cant_judge_alone", {"cant_judge": True, "unranked": [0, 1, 2, 3]}, TRAY),
    ("cant_judge_alone", {"cant_judge": True, "edited": {"completion": 0, "text": "Better."}}, EDIT),
    ("cant_judge_alone", {"cant_judge": True, "demonstration": "Hello."}, WRITE),
    ("flag_malformed", {**FIRST, "unsafe_preference": "yes"}, SAFETY),
    ("flag_malformed", {**FIRST, "unranked_is_worse": 1}, TOP),
]


@pytest.mark.parametrize(("rule", "raw", "question"), BROKEN)
def test_an_answer_that_breaks_a_rule_is_refused_by_its_name(
    rule: str, raw: dict[str, Any], question: Question
) -> None:
    with pytest.raises(AnswerRefused) as refused:
        parse(raw, question, texts_lengths=[5, 5])
    assert refused.value.rule == rule
    assert str(refused.value)


def test_good_and_bad_marks_do_not_overlap() -> None:
    overlapping = [
        {"completion": 0, "start": 0, "end": 3, "label": "good"},
        {**span(start=2, end=4, label="bad")["spans"][0]},
    ]
    with pytest.raises(AnswerRefused, match="characters 2–3 are marked good and bad at once") as refused:
        parse({**FIRST, "spans": overlapping}, SPANS)
    assert refused.value.rule == "spans_contradict"


def test_marks_of_one_label_that_overlap_or_touch_are_one_mark() -> None:
    pieces = [(4, 6), (0, 2), (2, 3), (5, 9), (1, 2)]
    spans = [{"completion": 1, "start": start, "end": end, "label": "bad"} for start, end in pieces]
    found = parse({**FIRST, "spans": spans}, SPANS).to_json()["spans"]
    assert [(item["start"], item["end"]) for item in found] == [(0, 3), (4, 9)]


def test_a_good_mark_may_touch_a_bad_one_and_other_replies_have_their_own() -> None:
    spans = [
        {"completion": 1, "start": 0, "end": 9, "label": "bad"},
        {"completion": 0, "start": 2, "end": 4, "label": "bad"},
        {"completion": 0, "start": 0, "end": 2, "label": "good"},
    ]
    assert parse({**FIRST, "spans": spans}, SPANS).to_json()["spans"] == [spans[2], spans[1], spans[0]]


def test_a_mark_reaches_to_the_last_character_and_texts_need_not_be_known() -> None:
    assert parse(span(end=5), SPANS, texts_lengths=[5, 5]).spans[0].end == 5
    assert parse(span(end=500), SPANS).spans[0].end == 500


def test_points_give_the_order_and_equal_points_tie() -> None:
    assert parse({"ratings": [2, 5, 2]}, STARS).tiers == [[1], [0, 2]]
    assert parse({"ratings": [4]}, rating()).tiers == [[0]]


def test_outside_the_top_k_everything_is_worse_whether_it_is_named_or_not() -> None:
    named = parse({"tiers": [[3], [0]], "unranked": [2, 1]}, TOP)
    assert parse({"tiers": [[3], [0]]}, TOP) == named
    assert (named.unranked, named.unranked_is_worse) == ([1, 2], True)


def test_ties_inside_the_top_k_count_each_reply() -> None:
    assert parse({"tiers": [[0, 3]]}, TOP).unranked == [1, 2]


def test_of_the_tray_nothing_is_said_whatever_the_sender_claims() -> None:
    answer = parse({"tiers": [[3], [0]], "unranked": [1, 2], "unranked_is_worse": True}, TRAY)
    assert not answer.unranked_is_worse


def test_a_reply_that_is_not_ranked_needs_no_points() -> None:
    question = ranking(4, allows_unranked=True, rating_points=7)
    answer = parse({"tiers": [[3], [0]], "unranked": [1, 2], "ratings": [2, None, 7, 3]}, question)
    assert answer.ratings == [2, None, 7, 3]


def test_equal_points_may_stand_in_an_order() -> None:
    assert parse({**FIRST, "ratings": [4, 4]}, RATED).ratings == [4, 4]


@pytest.mark.parametrize(
    ("safety", "tiers", "flagged"),
    [
        (["unsafe", "safe"], [[0], [1]], True),
        (["unsafe", "safe"], [[1], [0]], False),
        (["unsafe", "safe"], [[0, 1]], False),
        (["unsafe", "unsafe"], [[0], [1]], False),
    ],
)
def test_an_unsafe_preference_is_flagged_where_the_question_says_so(
    safety: list[str], tiers: list[list[int]], flagged: bool
) -> None:
    question = pairwise(asks_safety=True, on_unsafe_preference="flag")
    answer = parse({"tiers": tiers, "safety": safety, "unsafe_preference": not flagged}, question)
    assert answer.unsafe_preference is flagged
    assert ("unsafe_preference" in answer.to_json()) is flagged


def test_flags_and_reasons_come_in_the_order_of_the_question_once() -> None:
    flagged = parse({**FIRST, "flags": [["rude", "wrong", "rude"], None]}, FLAGS)
    assert flagged.flags == [["wrong", "rude"], []]
    assert parse({**FIRST, "reasons": ["kinder", "clearer"]}, REASONS).reasons == ["clearer", "kinder"]


def test_what_says_nothing_is_left_out() -> None:
    empty = {
        **FIRST,
        "flags": [[], []],
        "reasons": [],
        "rationale": " ",
        "ratings": [None, None],
        "aspects": {},
        "spans": [],
    }
    assert parse(empty, pairwise()).to_json() == FIRST


def test_a_strength_of_one_in_one_says_nothing() -> None:
    assert parse({**FIRST, "strength": 1}, pairwise()).to_json() == FIRST


@pytest.mark.parametrize(
    ("rationale", "wants", "is_refused"),
    [
        ("required", None, True),
        ("required", False, False),
        ("sampled", None, False),
        ("sampled", True, True),
        ("disputed", True, True),
        ("disputed", False, False),
        ("optional", None, False),
        ("none", True, False),
    ],
)
def test_the_task_decides_whether_a_rationale_is_demanded(rationale: str, wants: bool | None, is_refused: bool) -> None:
    question = pairwise(rationale=rationale, rationale_share=0.5 if rationale == "sampled" else 0.0)
    with pytest.raises(AnswerRefused) if is_refused else nullcontext() as refused:
        parse(FIRST, question, wants_rationale=wants)
    assert refused is None or refused.value.rule == "rationale_missing"


def test_who_cannot_judge_may_say_why_and_flag_but_need_not() -> None:
    question = pairwise(
        flags=("wrong",), reasons=("too hard",), rationale="required", asks_safety=True, rating_points=2
    )
    plain = {"cant_judge": True}
    full = {
        **plain,
        "flags": [["wrong"], []],
        "reasons": ["too hard"],
        "rationale": "Latin.",
        "safety": ["unsafe", None],
    }
    assert parse(plain, question).to_json() == plain
    assert parse({**full, "ratings": [None, None]}, question).to_json() == full


def test_one_of_the_best_replies_is_edited() -> None:
    assert parse({**edited(completion=1), **TIE}, EDIT).to_json()["edited"] == {"completion": 1, "text": "Better."}


def test_a_demonstration_has_its_text_and_no_order() -> None:
    assert parse({"demonstration": " 4\n"}, WRITE) == Answer(tiers=None, demonstration=" 4\n")
    assert (
        parse({"demonstration": "4", "ratings": [1, 5]}, demonstration(num_completions=2, rating_points=5)).tiers
        is None
    )


def test_every_rule_is_documented_and_tested() -> None:
    documented = {
        line.split("`")[1]
        for line in DOCUMENT.read_text(encoding="utf-8").split("## Rules")[1].splitlines()
        if line.startswith("| `")
    }
    tried = {rule for rule, _, _ in [*BROKEN, *BROKEN_ORDERS]}
    assert documented == tried | {"num_completions", "display_order", "spans_contradict"}
