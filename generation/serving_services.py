"""Writes to serving runs."""

from django.db import IntegrityError, transaction

from accounts.models import User
from core import jobs
from core.errors import ConcordError
from generation.engine_choice import check_startable
from generation.models import LanguageModel, ServingRun
from generation.vllm_command import ServingRefused


class ServingTwice(ConcordError):
    """A model has a server already, or one that starts."""

    status = 409
    title = "This model is being served"


def start_serving(*, model: LanguageModel, user: User | None = None) -> ServingRun:
    """Queue a vLLM server for a policy. Raises `ServingRefused` or `ServingTwice`."""
    check_startable(model)
    if model.kind != LanguageModel.Kind.POLICY:
        raise ServingRefused(
            f"{model} is a {model.get_kind_display().lower()}, which does not write: workers compute its scores."
        )
    try:
        with transaction.atomic():
            run = ServingRun.objects.create(
                workspace=model.workspace, name=f"{model} served", model=model, created_by=user
            )
            jobs.enqueue(run)
    except IntegrityError as error:
        raise ServingTwice(f"{model} has a server already: stop that one first, or use it.") from error
    return run
