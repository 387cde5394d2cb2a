"""What is judged, what a judge is asked, and what it replies.

Shapes: K completions of a comparison. `display_order[place]` is the index of the completion shown at that place, as
everywhere in Concord.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

from annotation.judging.canonical import content_hash
from annotation.question import Question

LETTERS = "ABCDEFGHI"  # names of the replies shown, by place


@dataclass(frozen=True, kw_only=True)
class Item:
    """One comparison to judge."""

    prompt: tuple[Mapping[str, str], ...]  # messages {role, content}, the last from the user
    texts: tuple[str, ...]  # K replies, by index
    question: Question
    reference: str | None = None  # a right answer, shown to the judge
    number: int | None = None  # of the item in its run, from 0: balances orders exactly; None draws them
    display_order: tuple[int, ...] | None = None  # already decided, by a lease or a record: shown if only one order is

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that is shown."""
        return content_hash([[dict(message) for message in self.prompt], list(self.texts), self.reference])


@dataclass(frozen=True, kw_only=True)
class JudgeCall:
    """One request to a model. As JSON it is all that re-reading its reply needs."""

    protocol: str
    template: str  # name and version
    template_hash: str
    messages: tuple[Mapping[str, str], ...]
    display_order: tuple[int, ...]  # of the completions in these messages, all of them or one
    round: int = 0  # number of the order among those planned for the item
    part: int = 0  # number of the aspect, the principle or the reply that it is about
    sample: int = 0
    attempt: int = 0  # 0, or the number of the retry
    code: str  # in the markers
    expects: Mapping[str, Any] = field(default_factory=dict)  # what its protocol's reader must know
    json_schema: Mapping[str, Any] | None = None
    choices: tuple[str, ...] = ()
    num_logprobs: int = 0
    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int  # 0 at temperature 0, where it decides nothing

    @property
    def key(self) -> str:
        """SHA-256 of all that is sent: two calls with one key are the same request."""
        sent = ("json_schema", "choices", "num_logprobs", "max_new_tokens", "temperature", "top_p", "seed")
        values = {name: getattr(self, name) for name in sent}
        return content_hash({"version": 1, "messages": [dict(message) for message in self.messages], **values})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> JudgeCall:
        """The call that `to_json` wrote."""
        known = {item.name for item in fields(cls)}
        values = {name: value for name, value in raw.items() if name in known}
        lists = {name: tuple(values[name]) for name in ("messages", "display_order", "choices")}
        return cls(**{**values, **lists})


def cache_key(call: JudgeCall, *, model: str, model_revision: str, adapter: str = "") -> str:
    """The address of a reply: SHA-256 of the request and of who answers it. Only verdicts are stored under it."""
    return content_hash({"call": call.key, "model": model, "revision": model_revision, "adapter": adapter})


class TokenLogprob(Protocol):
    """A sampled token; `top` has the log-probability of each alternative, the token itself included or not."""

    @property
    def token(self) -> str: ...
    @property
    def logprob(self) -> float: ...
    @property
    def top(self) -> Mapping[str, float]: ...


class Reply(Protocol):
    """What came back. An engine's `SampledText` is one."""

    @property
    def text(self) -> str: ...
    @property
    def finish_reason(self) -> str: ...  # "stop", "length", "content_filter"
    @property
    def logprobs(self) -> Sequence[TokenLogprob]: ...


@dataclass(frozen=True, kw_only=True)
class ReplyToken:
    """A token with its log-probability, for replies that come from no engine."""

    token: str
    logprob: float
    top: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TextReply:
    """A reply that comes from no engine: stored, recorded or written."""

    text: str
    finish_reason: str = "stop"
    logprobs: tuple[ReplyToken, ...] = ()
