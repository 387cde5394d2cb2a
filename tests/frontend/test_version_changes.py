from __future__ import annotations

from annotation.question import pairwise
from frontend.version_changes import Line, line_changes, question_changes


def test_the_fields_that_differ_are_named_in_the_questions_order() -> None:
    changes = question_changes(pairwise(), pairwise(reasons=("clearer", "kinder"), num_strengths=4, allows_ties=False))
    assert [(change.name, change.before, change.after) for change in changes] == [
        ("num_strengths", "1", "4"),
        ("allows_ties", "yes", "no"),
        ("reasons", "none", "clearer, kinder"),
    ]


def test_equal_questions_have_no_changes() -> None:
    assert question_changes(pairwise(), pairwise()) == []


def test_lines_are_gone_new_or_the_same() -> None:
    assert line_changes("be kind\nbe brief", "be kind\nbe right") == [
        Line(kind="same", text="be kind"),
        Line(kind="gone", text="be brief"),
        Line(kind="new", text="be right"),
    ]


def test_long_unchanged_stretches_are_left_out_and_counted() -> None:
    same = [str(number) for number in range(10)]
    lines = line_changes("\n".join([*same, "end"]), "\n".join([*same, "the end"]))
    assert [line.text for line in lines] == ["8 unchanged lines", "8", "9", "end", "the end"]


def test_a_single_unchanged_line_is_not_left_out() -> None:
    lines = line_changes("1\n2\n3\nend", "1\n2\n3\nthe end")
    assert [line.text for line in lines] == ["1", "2", "3", "end", "the end"]


def test_equal_texts_have_no_changes_to_show() -> None:
    assert {line.kind for line in line_changes("a\nb\nc", "a\nb\nc")} == {"left_out"}
