"""Comparisons and replies for the tests of judges."""

from __future__ import annotations

import math
from collections.abc import Callable

from annotation.judging import Item, JudgeCall, Judged, JudgeSpec, ReplyToken, TextReply, combine, plan, read
from annotation.question import Question, pairwise

TEXTS = ("first text", "second text", "third text", "fourth text")


def item_of(num_completions: int = 2, question: Question | None = None, **changes: object) -> Item:
    """A prompt with different replies."""
    values = {
        "prompt": ({"role": "user", "content": "What is 17 + 25?"},),
        "texts": TEXTS[:num_completions],
        "question": question or pairwise(),
    }
    return Item(**{**values, **changes})  # type: ignore[arg-type] # each is of its field's type


def judged_by(spec: JudgeSpec, item: Item, say: Callable[[JudgeCall], str], *, seed: int = 0) -> Judged:
    """What comes of one text for each call."""
    return combine(spec, item, [(call, read(call, TextReply(text=say(call)))) for call in plan(spec, item, seed)])


def letter_of(call: JudgeCall, index: int) -> str:
    """The letter under which a completion is shown."""
    return "ABCDEFGHI"[call.display_order.index(index)]


def tokens_of(**probabilities: float) -> TextReply:
    """A reply of one letter with the probabilities of its alternatives."""
    top = {token: math.log(probability) for token, probability in probabilities.items()}
    token = max(top, key=lambda name: top[name])
    return TextReply(text=token, logprobs=(ReplyToken(token=token, logprob=top[token], top=top),))
