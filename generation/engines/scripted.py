"""An engine without a model: replies come from a function. For demonstrations and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from generation.engines.base import Conversation, SampledText, SamplingParameters, check_num_completions
from generation.engines.errors import ConversationsFailed, EngineError

Reply = Callable[[Conversation, int, int], str]  # (conversation, number of the reply, seed) → text


class ScriptedEngine:
    """Says what `reply` says; the same conversation, number and seed always get the same text.

    Tokens are counted as words, and a reply of more than `max_new_tokens` words is cut there. An EngineError that
    `reply` raises fails that conversation alone.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def sample(
        self, conversations: Sequence[Conversation], *, num_completions: int, parameters: SamplingParameters
    ) -> Iterator[tuple[int, list[SampledText]]]:
        """See `Engine.sample`. In the order of the conversations."""
        check_num_completions(num_completions)
        failures: dict[int, EngineError] = {}
        for index, conversation in enumerate(conversations):
            try:
                texts = [self._reply(conversation, number, parameters.seed) for number in range(num_completions)]
            except EngineError as error:
                failures[index] = error
                continue
            yield index, [_sampled_text(text, conversation, parameters) for text in texts]
        if failures:
            raise ConversationsFailed(failures)

    def close(self) -> None:
        """Nothing is held."""


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
