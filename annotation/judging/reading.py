"""From a reply to its outcome: a verdict, or why there is none."""

from __future__ import annotations

from annotation.judging.calls import JudgeCall, Reply
from annotation.judging.outcomes import Outcome, Refused, Truncated, Unparsed, Verdict
from annotation.judging.planning import protocol_of
from annotation.judging.reply_text import TwoValues, is_refusal, readable, without_hidden
from annotation.judging.verdict_text import NoVerdict


def read(call: JudgeCall, reply: Reply) -> Outcome:
    """What a reply says. It never raises, whatever the reply: a failure names its reason.

    A reply that was cut off is truncated even where a verdict stands in its middle, because its end may say otherwise;
    one of the choices that is all of the reply is complete. Refusals have no verdict and begin as refusals do.
    """
    if reply.finish_reason == "content_filter":
        return Refused(reason="the provider's filter kept the reply back")
    is_cut = reply.finish_reason == "length"
    try:
        found = readable(reply.text)
        verdict = protocol_of(call.protocol).read(call, found, reply)
    except (NoVerdict, TwoValues) as error:
        return _failure(reply.text, without_hidden(str(error)), is_cut=is_cut)
    if is_cut and verdict.read_as != "logprobs" and found.text not in call.choices:
        return Truncated(reason=f"the reply ends at its limit of {call.max_new_tokens} tokens")
    return verdict


def _failure(text: str, reason: str, *, is_cut: bool) -> Outcome:
    if is_cut:
        return Truncated(reason=f"the reply ends at its limit before a verdict: {reason}")
    if not text.strip():
        return Unparsed(reason="the reply is empty")
    visible = _visible(text)
    if visible is None:
        return Unparsed(reason="the reply never ends thinking")
    if is_refusal(visible):
        return Refused(reason=f"the reply begins {visible[:80]!r}")
    return Unparsed(reason=reason)


def _visible(text: str) -> str | None:
    """What stands behind the reasoning; None if it never ends."""
    try:
        found = readable(text)
    except TwoValues:
        return without_hidden(text).strip()
    return None if found.is_thinking and not found.text else found.text


def is_cacheable(outcome: Outcome) -> bool:
    """Whether a reply may be served again for the same call: only one that was understood."""
    return isinstance(outcome, Verdict)
