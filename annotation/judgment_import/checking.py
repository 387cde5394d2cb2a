"""What a vote must be before it may become a judgment."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from annotation.answers import Answer, AnswerRefused, check_display_order, parse_answer, to_canonical
from annotation.judgment_import.shapes import Shape, question_of
from annotation.judgment_import.votes import MAX_REPLIES, MIN_REPLIES, ImportedReply, ImportedVote
from annotation.question_rules import QuestionInvalid
from core.source_rows import LineMalformed

MAX_NAME_CHARACTERS = 120
MAX_MS = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class CheckedVote:
    """A vote whose replies stand in canonical order."""

    vote: ImportedVote
    replies: tuple[ImportedReply, ...]  # by canonical index
    answer: Answer  # about canonical indices
    display_order: list[int]  # canonical index at each place, left to right
    shape: Shape


def check_vote(vote: ImportedVote) -> CheckedVote:
    """The vote in canonical order, its answer held against the question that such an answer answers. Raises
    `LineMalformed`."""
    _check_replies(vote)
    # By hash, so that a reply's number says nothing about which one won or stood left.
    order = sorted(range(len(vote.replies)), key=lambda place: _rank(vote.replies[place]))
    numbers = [order.index(place) for place in range(len(order))]  # place in vote.replies → canonical index
    shape = Shape.of_answer(vote.answer, len(order))
    try:
        check_display_order(vote.shown)
        answer = parse_answer(vote.answer, question=question_of(shape), num_completions=len(order))
        canonical = to_canonical(answer, numbers)
    except (AnswerRefused, QuestionInvalid) as error:
        raise LineMalformed(str(error)) from None
    return CheckedVote(
        vote=vote,
        replies=tuple(vote.replies[place] for place in order),
        answer=canonical,
        display_order=[numbers[place] for place in vote.shown or range(len(order))],
        shape=shape,
    )


def _check_replies(vote: ImportedVote) -> None:
    if not MIN_REPLIES <= len(vote.replies) <= MAX_REPLIES:
        raise LineMalformed(f"a comparison has {MIN_REPLIES} to {MAX_REPLIES} replies, got {len(vote.replies)}")
    if len(set(vote.replies)) < len(vote.replies):
        raise LineMalformed("two of the replies are equal")
    if vote.shown and len(vote.shown) != len(vote.replies):
        raise LineMalformed(f"the order shown names {len(vote.shown)} of {len(vote.replies)} replies")
    for reply in vote.replies:
        if not reply.text.strip() and not reply.model:
            raise LineMalformed("a reply has no text")  # a named model may have said nothing
        if len(reply.model) > MAX_NAME_CHARACTERS:
            raise LineMalformed(f"a model's name has {len(reply.model)} characters, at most {MAX_NAME_CHARACTERS} fit")
    if not 0 <= vote.total_ms <= MAX_MS:
        raise LineMalformed(f"the time taken must lie in 0–{MAX_MS} ms, got {vote.total_ms}")
    if vote.judged_at is not None and vote.judged_at > datetime.now(UTC):
        raise LineMalformed(f"it was judged in the future: {vote.judged_at.isoformat()}")


def _rank(reply: ImportedReply) -> tuple[str, str]:
    return hashlib.sha256(reply.text.encode()).hexdigest(), reply.model
