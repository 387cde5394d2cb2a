"""From a language model's row to the engine that speaks for it. torch is imported only for models on this machine."""

from pathlib import Path

from core import outbound, urlguard
from generation.engines.base import Engine
from generation.models import LanguageModel
from generation.vllm_command import ServingRefused, check_adapter


def open_engine(model: LanguageModel) -> Engine:
    """The engine for `model`. Raises `UrlRefused`, `ApiKeyMissing` or a named `EngineError`."""
    if model.source == LanguageModel.Source.SERVED:
        return served_engine(model.endpoint_url, model.location)
    from generation.engines.transformers_engine import TransformersEngine

    return TransformersEngine.load(model.location)


def served_engine(endpoint_url: str, name: str) -> Engine:
    """The engine for the model that a server calls `name`: connections go only where the guard has looked."""
    from generation.engines.openai_engine import DEFAULT_CONCURRENCY, OpenAIEngine

    guarded = urlguard.check(endpoint_url)
    return OpenAIEngine(
        base_url=guarded.url,
        model=name,
        api_key=outbound.api_key_of(guarded),
        transport=outbound.PinnedTransport(guarded, connections=DEFAULT_CONCURRENCY),
    )


def check_startable(model: LanguageModel, *, adapter: str = "") -> None:
    """Raises `ServingRefused` where a run cannot have a vLLM server of its own for `model` and a folder's adapter."""
    if not model.has_weights:
        raise ServingRefused(f"{model} has no weights here that a server could be started for.")
    if adapter:
        check_adapter(Path(adapter))
