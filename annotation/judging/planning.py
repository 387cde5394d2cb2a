"""From a judge and a comparison to the calls to make; and from a call without a verdict to the next attempt.

Shapes: K completions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from annotation.judging.calls import LETTERS, Item, JudgeCall
from annotation.judging.canonical import content_hash, drawn_number
from annotation.judging.outcomes import Failure, Truncated
from annotation.judging.protocols import PROTOCOLS, Ask, JudgingProtocol
from annotation.judging.spec import MAX_NEW_TOKENS, JudgeSpec, SpecInvalid
from annotation.judging.templates import Template, conversation_text, enclose, make_code
from annotation.question import Question

_SEEDS = 2**31
_REMINDER = "Your reply must have exactly the form that is asked for, with one verdict in it."


class CannotJudge(ValueError):
    """This judge has no means to answer this question about this comparison."""


def make_spec(protocol: str, *, template: Template | None = None, **parameters: Any) -> JudgeSpec:
    """A checked judge; without a template it gets the protocol's own. Raises SpecInvalid."""
    known = protocol_of(protocol)
    spec = JudgeSpec(protocol=protocol, template=template or known.template, **parameters)
    check_spec(spec)
    return spec


def spec_from_json(raw: Mapping[str, Any]) -> JudgeSpec:
    """The checked judge that `JudgeSpec.to_json` wrote. Raises SpecInvalid."""
    spec = JudgeSpec.from_json(raw)
    check_spec(spec)
    return spec


def check_spec(spec: JudgeSpec) -> None:
    """Raises SpecInvalid unless protocol, template and parameters go together."""
    protocol = protocol_of(spec.protocol)
    if missing := sorted(protocol.needs - spec.template.placeholders):
        raise SpecInvalid(f"the template of {spec.protocol} must have {{{missing[0]}}}", field="template")
    protocol.check(spec)


def protocol_of(name: str) -> JudgingProtocol:
    """The protocol with that name. Raises SpecInvalid."""
    if name not in PROTOCOLS:
        raise SpecInvalid(f"protocol must be one of {', '.join(PROTOCOLS)}, got {name!r}", field="protocol")
    return PROTOCOLS[name]


def why_not(spec: JudgeSpec, question: Question) -> str:
    """Why this judge cannot answer this question; empty if it can."""
    if reason := protocol_of(spec.protocol).why_not(spec, question):
        return reason
    judges_orders = protocol_of(spec.protocol).has_order and spec.orders == "both"
    if judges_orders and spec.conflict == "tie" and not question.allows_ties:
        return "orders that disagree would tie, and the question allows no ties: choose another conflict policy"
    return ""


def plan(spec: JudgeSpec, item: Item, seed: int) -> list[JudgeCall]:
    """The calls that the judge makes about a comparison, the same for the same seed. Raises CannotJudge."""
    if len(item.texts) != item.question.num_completions:
        raise CannotJudge(f"the question is about {item.question.num_completions} replies, got {len(item.texts)}")
    if reason := why_not(spec, item.question):
        raise CannotJudge(f"the judge cannot answer this question: {reason}")
    protocol = protocol_of(spec.protocol)
    prompt = conversation_text(item.prompt)
    code = make_code([spec.template.hash, prompt, *item.texts, item.reference or ""])
    return [
        _call(spec, item, ask, code=code, prompt=prompt, round=round, sample=sample, seed=seed)
        for round, order in enumerate(display_orders(spec, item, seed))
        for ask in protocol.asks(spec, item, order, seed)
        for sample in range(spec.num_samples)
    ]


def num_orders(spec: JudgeSpec) -> int:
    """How many displayed orders of each comparison are judged."""
    return 2 if spec.orders == "both" and protocol_of(spec.protocol).has_order else 1


def display_orders(spec: JudgeSpec, item: Item, seed: int) -> list[tuple[int, ...]]:
    """The orders in which the replies are shown.

    Both: one order and its reverse (for more than two replies the first is drawn). Balanced: one order; of as many
    consecutive item numbers as there are rotations of the replies, each shows another one.
    """
    first = tuple(range(len(item.texts)))
    if not protocol_of(spec.protocol).has_order:
        return [first]
    if spec.orders == "balanced":
        return [item.display_order or _rotation(item, seed)]
    if len(first) > 2:
        first = tuple(sorted(first, key=lambda index: content_hash(["order", seed, item.fingerprint, index])))
    return [first, first[::-1]]


def retry(call: JudgeCall, failure: Failure) -> JudgeCall:
    """The same question once more: with another seed, twice the tokens after truncation, else with a reminder.

    Retries at temperature 0 would give the same reply without the reminder. Their replies count as the first's do.
    """
    if isinstance(failure, Truncated):
        changes: dict[str, Any] = {"max_new_tokens": min(MAX_NEW_TOKENS, 2 * call.max_new_tokens)}
    else:
        last = call.messages[-1]
        content = last["content"] if last["content"].endswith(_REMINDER) else f"{last['content']}\n\n{_REMINDER}"
        changes = {"messages": (*call.messages[:-1], {**last, "content": content})}
    seed = drawn_number("retry", call.seed, call.attempt, below=_SEEDS) if call.temperature else 0
    return replace(call, attempt=call.attempt + 1, seed=seed, **changes)


def _call(
    spec: JudgeSpec, item: Item, ask: Ask, *, code: str, prompt: str, round: int, sample: int, seed: int
) -> JudgeCall:
    protocol = protocol_of(spec.protocol)
    values = {
        "code": code,
        "prompt": enclose("prompt", prompt, code),
        "replies": _replies(item, ask, code),
        "question": item.question.title,
        "guidelines": f"Guidelines:\n{spec.guidelines}" if spec.guidelines else "",
        "reference": enclose("reference answer", item.reference, code) if item.reference else "",
        "reply_form": ask.reply_form,
        **ask.values,
    }
    draws = spec.temperature > 0 and not ask.num_logprobs
    parts = (seed, item.fingerprint, round, ask.part, list(ask.shown), sample)
    return JudgeCall(
        protocol=spec.protocol,
        template=spec.template.label,
        template_hash=spec.template.hash,
        messages=spec.template.messages(values),
        display_order=ask.shown,
        round=round,
        part=ask.part,
        sample=sample,
        code=code,
        expects=ask.expects,
        json_schema=ask.json_schema,
        choices=ask.choices,
        num_logprobs=ask.num_logprobs,
        max_new_tokens=spec.max_new_tokens or protocol.max_new_tokens,
        temperature=spec.temperature if draws else 0.0,
        top_p=spec.top_p if draws else 1.0,
        seed=drawn_number("call", *parts, below=_SEEDS) if draws else 0,
    )


def _replies(item: Item, ask: Ask, code: str) -> str:
    if len(ask.shown) == 1:
        return enclose("reply", item.texts[ask.shown[0]], code)
    return "\n\n".join(
        enclose(f"reply {LETTERS[place]}", item.texts[index], code) for place, index in enumerate(ask.shown)
    )


def _rotation(item: Item, seed: int) -> tuple[int, ...]:
    """One of the K rotations: drawn by the item itself, or balanced in blocks of K item numbers."""
    size = len(item.texts)
    if item.number is None:
        start = drawn_number("order", seed, item.fingerprint, below=size)
    else:
        block, place = divmod(item.number, size)
        starts = sorted(range(size), key=lambda start: content_hash(["block", seed, block, start]))
        start = starts[place]
    return tuple((start + place) % size for place in range(size))
