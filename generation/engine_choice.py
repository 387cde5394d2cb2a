"""From a language model's row to the engine that speaks for it. torch is imported only for models on this machine."""

from core import urlguard
from generation.engines.base import Engine
from generation.models import LanguageModel


def open_engine(model: LanguageModel) -> Engine:
    """The engine for `model`. Raises `UrlRefused` or a named `EngineError`."""
    if model.source == LanguageModel.Source.SERVED:
        from generation.engines.openai_engine import OpenAIEngine

        return OpenAIEngine(base_url=urlguard.check(model.endpoint_url).url, model=model.location)
    from generation.engines.transformers_engine import TransformersEngine

    return TransformersEngine.load(model.location)
