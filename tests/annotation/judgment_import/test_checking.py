from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from annotation.judgment_import.checking import check_vote
from annotation.judgment_import.moments import moment_of
from annotation.judgment_import.shapes import Shape
from annotation.judgment_import.votes import LABELS, ImportedReply, ImportedVote
from annotation.question import Question, demonstration, pairwise, ranking
from core.source_rows import LineMalformed


def vote(answer: dict[str, Any], texts: str = "ab", **more: Any) -> ImportedVote:
    return ImportedVote(
        messages=[{"role": "user", "content": "p"}],
        replies=tuple(ImportedReply(text=text) for text in texts),
        answer=answer,
        annotator=LABELS,
        **more,
    )


def test_replies_get_numbers_that_do_not_depend_on_where_they_stood() -> None:
    one = check_vote(vote({"tiers": [[0], [1]]}, "ab"))
    other = check_vote(vote({"tiers": [[1], [0]]}, "ba"))
    assert one.replies == other.replies
    assert one.answer == other.answer
    assert one.display_order == other.display_order[::-1]


def test_the_order_shown_may_differ_from_the_order_listed() -> None:
    listed = check_vote(vote({"tiers": [[0], [1], [2]]}, "abc"))
    shown = check_vote(vote({"tiers": [[0], [1], [2]]}, "abc", shown=(2, 0, 1)))
    assert shown.answer == listed.answer
    texts = [shown.replies[index].text for index in shown.display_order]
    assert texts == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (vote({"tiers": [[0], [1]]}, "aa"), "equal"),
        (vote({"tiers": [[0], [1]]}, "a "), "no text"),
        (vote({"tiers": [[0]]}, ""), "1 to 9 replies"),
        (vote({"tiers": [[0]]}, "abcdefghij"), "1 to 9 replies"),
        (vote({"tiers": [[0]]}), "exactly once"),
        (vote({"tiers": [[0], [0, 1]]}), "exactly once"),
        (vote({"tiers": [[0], [1]], "strength": 9}), "num_strengths"),
        (vote({"tiers": [[0], [1]], "ratings": [1, 5]}), "points"),
        (vote({"tiers": [[0], [1]], "ratings": [5, 11]}), "rating_points"),
        (vote({"tiers": [[0], [1]], "colour": "red"}), "unknown field"),
        (vote({"tiers": [[0], [1]], "rationale": "x" * 6000}), "characters"),
        (vote({"tiers": [[0], [1]]}, shown=(0, 0)), "display order"),
        (vote({"tiers": [[0], [1]]}, shown=(0,)), "the order shown"),
        (vote({"tiers": [[0], [1]]}, judged_at=datetime.now(UTC) + timedelta(days=2)), "future"),
        (vote({"tiers": [[0], [1]]}, total_ms=-1), "time taken"),
    ],
)
def test_what_breaks_a_rule_is_malformed_and_named(bad: ImportedVote, reason: str) -> None:
    with pytest.raises(LineMalformed, match=reason):
        check_vote(bad)


def test_a_named_model_may_have_said_nothing_but_needs_a_name_that_fits() -> None:
    silent = replace(
        vote({"tiers": [[0], [1]]}), replies=(ImportedReply(text="", model="Ant"), ImportedReply(text="b"))
    )
    assert check_vote(silent).answer.tiers is not None
    with pytest.raises(LineMalformed, match="121 characters"):
        check_vote(replace(silent, replies=(ImportedReply(text="a", model="x" * 121), ImportedReply(text="b"))))


@pytest.mark.parametrize(
    ("answers", "question"),
    [
        ([({"tiers": [[0], [1]]}, 2)], pairwise()),
        ([({"tiers": [[0, 1]], "both_bad": True}, 2), ({"tiers": [[0], [1]], "strength": 3}, 2)],
         pairwise(allows_both_bad=True, num_strengths=4)),
        ([({"tiers": [[0], [1]]}, 2), ({"tiers": [[0], [1], [2]]}, 3)], ranking(3)),
        ([({"tiers": [[0], [1]], "unranked": [2]}, 3)], ranking(3, allows_unranked=True)),
        ([({"tiers": [[0], [1]], "reasons": ["Clear"]}, 2), ({"cant_judge": True, "reasons": ["clear", "short"]}, 2)],
         pairwise(reasons=("Clear", "short"))),
        ([({"tiers": None, "ratings": [4]}, 1)],
         Question(kind="rating", title="How good is the reply?", num_completions=1, rating_points=5)),
    ],
)  # fmt: skip
def test_the_question_is_what_all_answers_say_together(
    answers: list[tuple[dict[str, Any], int]], question: Question
) -> None:
    shape = Shape()
    for answer, num_completions in answers:
        shape |= Shape.of_answer(answer, num_completions)
    assert shape.question() == replace(question, on_unsafe_preference="flag")


def test_a_question_has_the_shape_that_it_was_made_from() -> None:
    shape = Shape(num_completions=3, has_order=True, rating=7, reasons=("short",), has_rationale=True)
    assert Shape.of_question(shape.question()) == shape
    assert Shape.of_question(demonstration()).num_completions == 0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("yesterday", None),
        ("2026-03-01T10:00:00Z" * 3, None),
        (1_700_000_000, None),
        (None, None),
    ],
)
def test_times_are_read_where_they_are_plausible(text: object, moment: datetime | None) -> None:
    assert moment_of(text) == moment
