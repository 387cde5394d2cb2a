"""What can go wrong while sampling. Each message says what was expected, what came and what to do."""

from __future__ import annotations

from collections.abc import Mapping


class EngineError(Exception):
    """Base of everything that an engine raises."""


class ParametersInvalid(EngineError, ValueError):
    """The sampling parameters contradict themselves."""


class ParametersUnsupported(EngineError):
    """This engine or server cannot do what the sampling parameters ask for."""


class ConversationsFailed(EngineError):
    """Some conversations could not be sampled; all others were yielded before this was raised.

    `failures` maps the index of each failed conversation to its own error.
    """

    def __init__(self, failures: Mapping[int, EngineError]) -> None:
        self.failures = dict(failures)
        index, first = next(iter(sorted(self.failures.items())))
        super().__init__(f"{len(self.failures)} conversations failed; the first, number {index}: {first}")


# One conversation cannot be sampled.


class ConversationRefused(EngineError):
    """The model's chat template does not accept this conversation."""


class ContextOverflow(EngineError):
    """Prompt and reply together do not fit the model's context."""


class MalformedReply(EngineError):
    """A server answered something that is not the reply its protocol promises."""


class TooFewChoices(EngineError):
    """A server returned no reply where it was asked for some."""


class ChoiceIgnored(EngineError):
    """A reply is none of the texts that it had to be one of: the server did not hold the model to them."""


class RequestRejected(EngineError):
    """A server refused a request for a reason of its own."""


class ReplyWithheld(EngineError):
    """A server's own filter kept the reply back."""


class DeadlinePassed(EngineError):
    """A reply did not come within the time that it was given."""


class ConnectionCut(EngineError):
    """A server took a request and broke off before its answer was there, even after retries."""


# Nothing can be sampled.


class ModelFolderInvalid(EngineError):
    """A model cannot be loaded from this folder or name."""


class MissingChatTemplate(EngineError):
    """The model has no chat template: a base model, which cannot be talked to."""


class EndpointUnreachable(EngineError):
    """No server answered at this address, even after retries."""


class EndpointOverloaded(EngineError):
    """The server kept answering that it is too busy or broken."""


class AccessDenied(EngineError):
    """The server wants an API key, or another one."""


class ModelNotServed(EngineError):
    """The server does not serve the wanted model."""
