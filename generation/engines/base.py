"""What every engine agrees on: conversations go in, sampled texts come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, Protocol

from generation.engines.errors import ParametersInvalid

Conversation = Sequence[Mapping[str, str]]  # [{"role": …, "content": …}, …], the last turn from the user
FinishReason = Literal["stop", "length"]

MAX_LOGPROBS = 20  # alternatives for one token: what the OpenAI protocol allows
_MAX_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class SamplingParameters:
    """How replies are drawn. Raises ParametersInvalid on construction."""

    temperature: float = 1.0  # 0 always takes the likeliest token
    top_p: float = 1.0  # draw from the smallest set of tokens with this probability, in (0, 1]
    max_new_tokens: int = 256
    seed: int = 0
    stop: tuple[str, ...] = ()  # texts that end a reply; they are cut off
    json_schema: Mapping[str, Any] | None = (
        None  # the reply is JSON of this schema, where the server can hold a model to it
    )
    choices: tuple[str, ...] = ()  # the reply is one of these texts
    num_logprobs: int = 0  # alternatives to report for every token; 0: no log-probabilities at all
    adapter: str = ""  # the LoRA adapter to speak with, by the name under which it is served; "": none

    def __post_init__(self) -> None:
        if not isfinite(self.temperature) or self.temperature < 0:
            raise ParametersInvalid(f"temperature must be 0 or more, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ParametersInvalid(f"top_p must lie in (0, 1], got {self.top_p}")
        if self.max_new_tokens < 1:
            raise ParametersInvalid(f"max_new_tokens must be 1 or more, got {self.max_new_tokens}")
        if not 0 <= self.seed <= _MAX_SEED:
            raise ParametersInvalid(f"seed must lie in 0–{_MAX_SEED}, got {self.seed}")
        if isinstance(self.stop, str) or not all(self.stop):
            raise ParametersInvalid(f"stop must be a tuple of texts that are not empty, got {self.stop!r}")
        if isinstance(self.choices, str) or not all(self.choices) or len(set(self.choices)) < len(self.choices):
            raise ParametersInvalid(f"choices must be different texts that are not empty, got {self.choices!r}")
        if self.choices and self.json_schema is not None:
            raise ParametersInvalid(
                "choices and json_schema exclude each other: a list of texts is a schema of its own"
            )
        if not 0 <= self.num_logprobs <= MAX_LOGPROBS:
            raise ParametersInvalid(f"num_logprobs must lie in 0–{MAX_LOGPROBS}, got {self.num_logprobs}")


@dataclass(frozen=True, kw_only=True)
class TokenLogprob:
    """One token of a reply with its natural log-probability at temperature 1, among the tokens that `choices` allow."""

    token: str
    logprob: float
    top: Mapping[str, float] = field(default_factory=dict)  # the likeliest tokens in its place, the drawn one included


@dataclass(frozen=True, kw_only=True)
class SampledText:
    """One reply."""

    text: str
    finish_reason: FinishReason  # "stop": the model ended it; "length": it was cut off at max_new_tokens
    num_prompt_tokens: int
    num_tokens: int  # of the reply, the stop token included; estimated where a server gives only the total of several
    logprobs: tuple[TokenLogprob, ...] = ()  # one a token, where `num_logprobs` asked for them
    latency_ms: float = field(
        default=0.0, compare=False
    )  # until the whole reply was there; shared by what came together
    follows_schema: bool | None = None  # is it what `json_schema` asked for? None: nothing did, or it was cut off
    model_revision: str = ""  # what the server said it is, or the revision of the loaded weights


class Engine(Protocol):
    """Samples replies from one model."""

    def sample(
        self,
        conversations: Sequence[Conversation],
        *,
        num_completions: int,
        parameters: SamplingParameters,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, list[SampledText]]]:
        """Yield (index of the conversation, its `num_completions` replies) as they finish, in any order.

        `seeds` names a seed for each conversation. Without it they are derived from `parameters.seed` and the
        conversation's own text, so that neighbours do not matter.

        A conversation that cannot be sampled does not stop the others: when they are done,
        ConversationsFailed is raised with one error for each. Any other EngineError means that nothing more
        can be sampled.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds. Closing twice is harmless."""
        ...


def check_num_completions(num_completions: int) -> None:
    """Raises ParametersInvalid for less than one reply a conversation."""
    if num_completions < 1:
        raise ParametersInvalid(f"num_completions must be 1 or more, got {num_completions}")


def check_seeds(seeds: Sequence[int] | None, num_conversations: int) -> None:
    """Raises ParametersInvalid unless there is one seed in range for each conversation, or none at all."""
    if seeds is None:
        return
    if len(seeds) != num_conversations:
        raise ParametersInvalid(f"seeds must be one a conversation: got {len(seeds)} for {num_conversations}")
    if outside := [seed for seed in seeds if not 0 <= seed <= _MAX_SEED]:
        raise ParametersInvalid(f"seeds must lie in 0–{_MAX_SEED}, got {outside[0]}")


def storable(text: str) -> str:
    """The text with NUL characters and lone surrogates, which no database takes, as U+FFFD."""
    return "".join(
        "\ufffd" if character == "\0" or "\ud800" <= character <= "\udfff" else character for character in text
    )
