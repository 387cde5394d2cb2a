"""Reads the single fields of an answer: each by itself is well formed, asked for and inside its limits, or refused.

How they go together is checked in `annotation/answer_rules.py`. A field that is null, empty or left out says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from annotation.question import Question
from annotation.tiers import AnswerRefused, is_index

Safety = Literal["safe", "unsafe"]
Label = Literal["good", "bad"]

MAX_RATIONALE_CHARACTERS = 5_000
MAX_REPLY_CHARACTERS = 100_000  # of a demonstration or an edited reply
MAX_SPANS = 200


@dataclass(frozen=True, kw_only=True)
class Span:
    """A marked passage of a reply's text: characters (Unicode code points) from `start` up to but without `end`."""

    completion: int
    start: int
    end: int
    label: Label

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Edited:
    """The best reply, improved."""

    completion: int
    text: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_flag(raw: Mapping[str, Any], name: str) -> bool:
    """A field that is true, or false where it is left out."""
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise AnswerRefused("flag_malformed", f"{name} must be true or false, got {value!r}")
    return value


def read_unranked(raw: Mapping[str, Any]) -> list[int] | None:
    """Indices in no tier, rising; None if the field is left out."""
    value = raw.get("unranked")
    if value is None:
        return None
    if not isinstance(value, list) or not all(map(is_index, value)):
        raise AnswerRefused("unranked_malformed", f"unranked must be a list of completion indices, got {value!r}")
    return sorted(value)


def read_ratings(raw: Mapping[str, Any], question: Question) -> list[int | None] | None:
    """Points of each reply from 1, None for one without."""
    points = _entries(raw.get("ratings"), "ratings", question.num_completions)
    if points is not None and not question.rating_points:
        raise AnswerRefused("ratings_not_asked", "this question does not ask for ratings")
    return points and [_in_points(value, "rating", question.rating_points) for value in points]


def read_aspects(raw: Mapping[str, Any], question: Question) -> dict[str, list[int | None]] | None:
    """Points of each reply for each aspect, in the question's order of aspects."""
    value = raw.get("aspects")
    if not value:
        return None
    if not isinstance(value, Mapping):
        raise AnswerRefused("aspects_malformed", f"aspects must be an object of lists, got {value!r}")
    if unknown := sorted(set(map(str, value)) - set(question.aspects)):
        raise AnswerRefused("aspect_unknown", f"this question does not ask about {', '.join(unknown)}")
    found = {}
    for name in question.aspects:
        points = _entries(value.get(name), "aspects", question.num_completions)
        if points is not None:
            found[name] = [_in_points(point, "aspect", question.aspect_points) for point in points]
    return found or None


def read_safety(raw: Mapping[str, Any], question: Question) -> list[Safety | None] | None:
    """Each reply's bin, None for one without."""
    bins = _entries(raw.get("safety"), "safety", question.num_completions)
    if bins is None:
        return None
    if not question.asks_safety:
        raise AnswerRefused("safety_not_asked", "this question does not ask whether replies are safe")
    if not all(value is None or (isinstance(value, str) and value in get_args(Safety)) for value in bins):
        raise AnswerRefused("safety_malformed", f"a reply is safe or unsafe, got {bins!r}")
    return bins


def read_flags(raw: Mapping[str, Any], question: Question) -> list[list[str]] | None:
    """The flags of each reply in the question's order; None if no reply has any."""
    lists = _entries(raw.get("flags"), "flags", question.num_completions)
    found = lists and [_known(value or [], question.flags, "flag") for value in lists]
    return found if found and any(found) else None


def read_reasons(raw: Mapping[str, Any], question: Question) -> list[str]:
    """The chips that were chosen, in the question's order."""
    return _known(raw.get("reasons") or [], question.reasons, "reason")


def read_rationale(raw: Mapping[str, Any], question: Question) -> str:
    """Free text without blanks around it; empty if there is none."""
    text = _text(raw.get("rationale"), "rationale", MAX_RATIONALE_CHARACTERS).strip()
    if text and question.rationale == "none":
        raise AnswerRefused("rationale_not_asked", "this question does not ask for a rationale")
    return text


def read_demonstration(raw: Mapping[str, Any], question: Question) -> str:
    """The written reply as it was typed; empty if there is nothing but blanks."""
    text = _text(raw.get("demonstration"), "demonstration", MAX_REPLY_CHARACTERS)
    if text.strip() and question.kind != "demonstration":
        raise AnswerRefused("demonstration_not_asked", "this question does not ask for a reply of your own")
    return text if text.strip() else ""


def read_edited(raw: Mapping[str, Any], question: Question) -> Edited | None:
    """The improved reply, if there is one."""
    value = raw.get("edited")
    if not value:
        return None
    if not question.asks_edit:
        raise AnswerRefused("edit_not_asked", "this question does not ask to edit a reply")
    if not isinstance(value, Mapping) or set(value) != {"completion", "text"}:
        raise AnswerRefused("edited_malformed", f"an edit has a completion and a text, got {value!r}")
    text = _text(value["text"], "edited", MAX_REPLY_CHARACTERS)
    if not text.strip():
        raise AnswerRefused("edited_malformed", "the edited reply is empty")
    return Edited(completion=_completion(value["completion"], "edited_malformed", question), text=text)


def read_spans(raw: Mapping[str, Any], question: Question, texts_lengths: Sequence[int] | None) -> list[Span]:
    """The marked passages, by reply and place, those that overlap or touch under one label joined.

    So the same marked characters are the same answer, however they were selected. No character is both good and bad.
    """
    value = raw.get("spans")
    if not value:
        return []
    if not question.asks_spans:
        raise AnswerRefused("spans_not_asked", "this question does not ask to mark passages")
    if not isinstance(value, list) or len(value) > MAX_SPANS:
        raise AnswerRefused("spans_malformed", f"spans must be a list of {MAX_SPANS} passages at most")
    spans = [_span(item, question, texts_lengths) for item in value]
    return _joined(sorted(spans, key=lambda span: (span.completion, span.start, span.end)))


def _span(value: object, question: Question, texts_lengths: Sequence[int] | None) -> Span:
    if not isinstance(value, Mapping) or set(value) != {"completion", "start", "end", "label"}:
        raise AnswerRefused("spans_malformed", f"a span has a completion, start, end and label, got {value!r}")
    completion = _completion(value["completion"], "spans_malformed", question)
    start, end, label = value["start"], value["end"], value["label"]
    if not isinstance(label, str) or label not in get_args(Label):
        raise AnswerRefused("spans_malformed", f"a passage is good or bad, got {label!r}")
    if not is_index(start) or not is_index(end) or not 0 <= start < end:
        raise AnswerRefused("span_empty", f"a span ends after its start, from 0 on, got {start!r}–{end!r}")
    if texts_lengths is not None and end > texts_lengths[completion]:
        raise AnswerRefused(
            "span_outside",
            f"a span must lie in the {texts_lengths[completion]} characters of the reply, got {start}–{end}",
        )
    return Span(completion=completion, start=start, end=end, label=label)  # type: ignore[arg-type] # checked above


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined and joined[-1].completion == span.completion else None
        if last is None or span.start > last.end or (span.start == last.end and span.label != last.label):
            joined.append(span)
        elif span.label != last.label:
            raise AnswerRefused(
                "spans_contradict", f"characters {span.start}–{min(span.end, last.end)} are marked good and bad at once"
            )
        else:
            joined[-1] = Span(
                completion=last.completion, start=last.start, end=max(last.end, span.end), label=last.label
            )
    return joined


def _completion(value: object, rule: str, question: Question) -> int:
    if not is_index(value) or not 0 <= value < question.num_completions:
        raise AnswerRefused(rule, f"completion must lie in 0–{question.num_completions - 1}, got {value!r}")
    return value


def _entries(value: object, name: str, num_completions: int) -> list[Any] | None:
    """One entry for each reply; None if nothing is said about any."""
    if value is None or value == []:
        return None
    if not isinstance(value, list) or len(value) != num_completions:
        raise AnswerRefused(
            f"{name}_malformed", f"{name} must be a list of {num_completions}, one for each reply, got {value!r}"
        )
    return value if any(entry is not None for entry in value) else None


def _in_points(value: object, name: str, num_points: int) -> int | None:
    if value is None:
        return None
    if not is_index(value) or not 1 <= value <= num_points:
        raise AnswerRefused(f"{name}_out_of_range", f"points must lie in 1–{num_points}, got {value!r}")
    return value


def _known(value: object, known: Sequence[str], name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise AnswerRefused(f"{name}s_malformed", f"{name}s must be a list of words, got {value!r}")
    if unknown := sorted(set(value) - set(known)):
        raise AnswerRefused(f"{name}_unknown", f"this question has no {name} {', '.join(unknown)}")
    return [label for label in known if label in value]


def _text(value: object, name: str, most: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value or not _is_encodable(value):
        raise AnswerRefused(f"{name}_malformed", f"{name} must be a text without NUL characters or lone surrogates")
    if len(value) > most:
        raise AnswerRefused(f"{name}_too_long", f"{name} may have {most} characters, got {len(value)}")
    return value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
