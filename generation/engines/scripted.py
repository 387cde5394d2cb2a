"""An engine without a model: replies come from a function. For demonstrations and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from generation.engines.base import (
    Conversation,
    SampledText,
    SamplingParameters,
    check_num_completions,
    check_seeds,
)
from generation.engines.errors import ChoiceIgnored, ConversationsFailed, EngineError, ParametersUnsupported

# (conversation, number of the reply, seed) → its text, or all of it where log-probabilities or an end matter
Reply = Callable[[Conversation, int, int], str | SampledText]


class ScriptedEngine:
    """Says what `reply` says; the same conversation, number and seed always get the same text.

    Tokens are counted as words, and a reply of more than `max_new_tokens` words is cut there; a SampledText goes out
    as it is. An EngineError that `reply` raises fails that conversation alone.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def sample(
        self,
        conversations: Sequence[Conversation],
        *,
        num_completions: int,
        parameters: SamplingParameters,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, list[SampledText]]]:
        """See `Engine.sample`. In the order of the conversations; adapters are unsupported, schemas not enforced."""
        check_num_completions(num_completions)
        check_seeds(seeds, len(conversations))
        if parameters.adapter:
            raise ParametersUnsupported(f"a scripted engine has no adapter {parameters.adapter!r}")
        failures: dict[int, EngineError] = {}
        for index, conversation in enumerate(conversations):
            seed = parameters.seed if seeds is None else seeds[index]
            try:
                said = [self._reply(conversation, number, seed) for number in range(num_completions)]
                replies = [_sampled(one, conversation, parameters) for one in said]
            except EngineError as error:
                failures[index] = error
                continue
            yield index, replies
        if failures:
            raise ConversationsFailed(failures)

    def close(self) -> None:
        """Nothing is held."""


def _sampled(said: str | SampledText, conversation: Conversation, parameters: SamplingParameters) -> SampledText:
    reply = _sampled_text(said, conversation, parameters) if isinstance(said, str) else said
    if parameters.choices and reply.text not in parameters.choices:
        raise ChoiceIgnored(f"the script said {reply.text!r}, which is none of {', '.join(parameters.choices)}")
    if parameters.num_logprobs and not reply.logprobs:
        raise ParametersUnsupported("log-probabilities were asked for, and the script gave none: return a SampledText")
    return reply


def _sampled_text(text: str, conversation: Conversation, parameters: SamplingParameters) -> SampledText:
    text = min((text.split(ending)[0] for ending in parameters.stop), key=len, default=text)
    words = text.split()
    is_cut = len(words) > parameters.max_new_tokens
    return SampledText(
        text=" ".join(words[: parameters.max_new_tokens]) if is_cut else text,
        finish_reason="length" if is_cut else "stop",
        num_prompt_tokens=sum(len(message["content"].split()) for message in conversation),
        num_tokens=min(len(words), parameters.max_new_tokens),
    )
