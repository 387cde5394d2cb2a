"""Whether the servers behind served models are well: asked when somebody wants to know, and every few minutes."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from django.utils import timezone

from generation import endpoints
from generation.endpoints import EndpointHealth
from generation.engines.base import storable
from generation.models import EndpointCheck, LanguageModel
from generation.services import ModelRefused

_AT_ONCE = 8  # servers that are asked at the same time: one that is down takes ten seconds


def check_endpoint(*, model: LanguageModel) -> EndpointCheck:
    """Ask the model's server now, and keep what came of it. Raises `ModelRefused` for a model that is not served."""
    if model.source != LanguageModel.Source.SERVED:
        raise ModelRefused(f"{model} is not served: there is no endpoint to check.")
    [check] = _store([model], *_asked(model.endpoint_url))
    return check


def check_all() -> int:
    """Ask every server behind a served model once; returns how many models are well."""
    models: dict[str, list[LanguageModel]] = {}
    for model in LanguageModel.objects.filter(source=LanguageModel.Source.SERVED).order_by("pk"):
        models.setdefault(model.endpoint_url, []).append(model)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(_asked, models))
    checks = [check for alike, one in zip(models.values(), found, strict=True) for check in _store(alike, *one)]
    return sum(check.is_up for check in checks)


def _asked(url: str) -> tuple[EndpointHealth, float]:
    """What the server says, and the milliseconds that it took. Touches no row."""
    began = time.monotonic()
    health = endpoints.check_health(url)
    return health, 1000 * (time.monotonic() - began)


def _store(models: Iterable[LanguageModel], health: EndpointHealth, latency_ms: float) -> list[EndpointCheck]:
    checks = []
    for model in models:
        own = endpoints.serving_of(health, model.location)
        columns = {
            "checked_at": timezone.now(),
            "is_up": own.is_up,
            "problem": storable(own.problem),
            "found": [storable(served.id) for served in own.models],
            "latency_ms": latency_ms if own.models else None,
        }
        checks.append(EndpointCheck.objects.update_or_create(model=model, defaults=columns)[0])
    return checks
