"""What a question's fields must be and how they go together. Each rule names the field that breaks it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from annotation.question import Question

MAX_STRENGTHS = 7
MAX_COMPLETIONS = 9
MIN_COMPLETIONS = {"pairwise": 2, "ranking": 2, "rating": 1, "demonstration": 0}
MIN_POINTS, MAX_POINTS = 2, 10
MAX_TITLE_CHARACTERS = 500
MAX_LABELS, MAX_LABEL_CHARACTERS = 20, 60
LABELS = ("aspects", "flags", "reasons")


class QuestionInvalid(ValueError):
    """A question breaks one of its own rules; the message names the field, what it should be and is."""

    def __init__(self, message: str, *, field: str = "") -> None:
        self.field = field  # of the question; empty if it is about the whole
        super().__init__(message)


def check_types(question: Question, types: Mapping[str, Any]) -> None:
    """Every field is of its type. Raises QuestionInvalid."""
    for name, expected in types.items():
        _check_type(name, expected, getattr(question, name))


def check_rules(question: Question) -> None:
    """All fields go together. Raises QuestionInvalid."""
    _check_characters("title", question.title)
    if not question.title.strip() or len(question.title) > MAX_TITLE_CHARACTERS:
        raise QuestionInvalid(
            f"title must have 1–{MAX_TITLE_CHARACTERS} characters, got {len(question.title)}", field="title"
        )
    _check_num_completions(question)
    _check_range(question, "num_strengths", 1, MAX_STRENGTHS)
    _check_points(question)
    for name in LABELS:
        _check_labels(name, getattr(question, name))
    _check_rationale(question)
    _check_kind(question)
    _check_per_reply(question)


def _check_type(name: str, expected: Any, value: object) -> None:
    if expected == tuple[str, ...]:
        if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
            raise QuestionInvalid(f"{name} must be a list of str, got {value!r}", field=name)
        return
    members = get_args(expected)
    kind = str if members else expected
    is_right = isinstance(value, (int, float) if kind is float else kind)
    if not is_right or (isinstance(value, bool) and kind is not bool):
        raise QuestionInvalid(f"{name} must be {kind.__name__}, got {value!r}", field=name)
    if members and value not in members:
        raise QuestionInvalid(f"{name} must be one of {', '.join(members)}, got {value!r}", field=name)


def _check_range(question: Question, name: str, low: int, high: int) -> None:
    value = getattr(question, name)
    if not low <= value <= high:
        raise QuestionInvalid(f"{name} must lie in {low}–{high}, got {value}", field=name)


def _check_num_completions(question: Question) -> None:
    if question.kind == "pairwise" and question.num_completions != 2:
        raise QuestionInvalid(
            f"a pairwise question compares 2 completions, got {question.num_completions}", field="num_completions"
        )
    _check_range(question, "num_completions", MIN_COMPLETIONS[question.kind], MAX_COMPLETIONS)


def _check_points(question: Question) -> None:
    if question.rating_points:
        _check_range(question, "rating_points", MIN_POINTS, MAX_POINTS)
    _check_range(question, "aspect_points", MIN_POINTS, MAX_POINTS)


def _check_labels(name: str, labels: tuple[str, ...]) -> None:
    if len(labels) > MAX_LABELS:
        raise QuestionInvalid(f"{name} must be {MAX_LABELS} at most, got {len(labels)}", field=name)
    for label in labels:
        _check_characters(name, label)
        if not label.strip() or label != label.strip() or len(label) > MAX_LABEL_CHARACTERS:
            raise QuestionInvalid(
                f"{name} must have 1–{MAX_LABEL_CHARACTERS} characters each and no blanks around, got {label!r}",
                field=name,
            )
    if len({label.casefold() for label in labels}) < len(labels):
        raise QuestionInvalid(f"{name} must differ from each other, got {', '.join(labels)}", field=name)


def _check_characters(name: str, text: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise QuestionInvalid(f"{name} must have no NUL characters and no lone surrogates, got {text!r}", field=name)


def _check_rationale(question: Question) -> None:
    share = question.rationale_share
    if not math.isfinite(share):
        raise QuestionInvalid(f"rationale_share must be a number, got {share}", field="rationale_share")
    if question.rationale == "sampled" and not 0 < share <= 1:
        raise QuestionInvalid(
            f"a sampled rationale needs a rationale_share above 0 and up to 1, got {share}", field="rationale_share"
        )
    if question.rationale != "sampled" and share:
        raise QuestionInvalid(
            f"only a sampled rationale has a share: rationale_share must be 0, got {share}", field="rationale_share"
        )


def _check_kind(question: Question) -> None:
    kind = question.kind
    if kind != "pairwise":
        _refuse_unless(question, "num_strengths", 1, f"a {kind} has no strengths")
        _refuse_unless(question, "allows_both_bad", False, f"a {kind} has no 'both bad'")
    if kind != "ranking":
        _refuse_unless(question, "top_k", 0, f"a {kind} question has no top k")
        _refuse_unless(question, "allows_unranked", False, f"a {kind} question has no tray")
    else:
        _check_ranking(question)
    if kind == "rating":
        _check_rating(question)
    if kind == "demonstration":
        _refuse_unless(question, "asks_edit", False, "a demonstration has no best reply to edit")


def _check_ranking(question: Question) -> None:
    if question.top_k:
        _check_range(question, "top_k", 1, question.num_completions - 1)
        _refuse_unless(
            question, "allows_unranked", False, "of the replies outside the top k it is known that they are worse"
        )


def _check_rating(question: Question) -> None:
    if not question.rating_points:
        raise QuestionInvalid(
            f"a rating question needs points: rating_points must lie in {MIN_POINTS}–{MAX_POINTS}, got 0",
            field="rating_points",
        )
    _refuse_unless(question, "allows_ties", True, "replies with equal points tie")


def _check_per_reply(question: Question) -> None:
    """What is asked about each reply needs replies."""
    if question.num_completions:
        return
    for name, nothing in {
        "rating_points": 0,
        "aspects": (),
        "asks_safety": False,
        "flags": (),
        "asks_spans": False,
    }.items():
        _refuse_unless(question, name, nothing, "there is no reply to ask about")


def _refuse_unless(question: Question, name: str, wanted: object, why: str) -> None:
    value = getattr(question, name)
    if value != wanted:
        raise QuestionInvalid(f"{why}: {name} must be {json.dumps(wanted)}, got {json.dumps(value)}", field=name)
