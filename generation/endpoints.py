"""What is known about the server behind an address: its models, and whether it is well."""

from dataclasses import dataclass

from core import outbound, urlguard
from core.errors import ConcordError
from generation.engines.errors import EngineError
from generation.engines.openai_engine import discover_models
from generation.engines.openai_protocol import ServedModel
from generation.engines.retries import RetryPolicy

_AT_ONCE = RetryPolicy(max_attempts=1)  # somebody waits for the answer


@dataclass(frozen=True, kw_only=True)
class EndpointHealth:
    """The state of one endpoint at one moment."""

    is_up: bool  # it answers, and serves the wanted model if one was named
    models: tuple[ServedModel, ...] = ()
    problem: str = ""  # what is wrong and what to do, for people


def models_at(endpoint_url: str, *, retries: RetryPolicy | None = None) -> list[ServedModel]:
    """What the server serves. Raises `UrlRefused`, `ApiKeyMissing` or an EngineError that says what is wrong."""
    guarded = urlguard.check(endpoint_url)
    return discover_models(
        guarded.url,
        api_key=outbound.api_key_of(guarded),
        retries=retries,
        transport=outbound.PinnedTransport(guarded),
    )


def check_health(endpoint_url: str, *, name: str = "") -> EndpointHealth:
    """Ask once, at most ten seconds. `name` is the model that it should serve. Raises nothing that people can mend."""
    try:
        models = tuple(models_at(endpoint_url, retries=_AT_ONCE))
    except (ConcordError, EngineError) as error:
        return EndpointHealth(is_up=False, problem=str(error))
    return serving_of(EndpointHealth(is_up=True, models=models), name)


def serving_of(health: EndpointHealth, name: str) -> EndpointHealth:
    """The same, well only if the server has the model `name`, where one is named."""
    if not health.is_up or not name or name in {model.id for model in health.models}:
        return health
    served = ", ".join(model.id for model in health.models) or "no model"
    return EndpointHealth(is_up=False, models=health.models, problem=f"It does not serve {name!r}; it serves {served}.")
