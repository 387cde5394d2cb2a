"""Asking for reports on data before they are trained on. The same question twice has one answer."""

import hashlib
import json

from django.db import transaction

from accounts.models import User, Workspace
from annotation.models import Dataset
from core import jobs
from core.models import Job
from generation.models import LanguageModel, PromptSet
from training.algorithms.config import CommonConfig
from training.models import DataReport

VERSION = 1  # of what a report says; older ones are written anew


def request_report(
    *,
    workspace: Workspace,
    algorithm: str,
    config: CommonConfig,
    dataset: Dataset | None = None,
    prompt_set: PromptSet | None = None,
    init_model: LanguageModel | None = None,
    user: User | None = None,
    tries_again: bool = True,
) -> DataReport:
    """The report on these data for this algorithm, model and limits; a worker writes it unless it exists.

    One that failed is written again if `tries_again`: a page that asks every second would never see it fail.
    """
    limits, model = limits_of(config), model_that_counts(init_model)
    key = report_key(algorithm=algorithm, dataset=dataset, prompt_set=prompt_set, model=model, **limits)
    with transaction.atomic():
        report, is_new = DataReport.objects.get_or_create(
            key=key,
            defaults={
                "workspace": workspace,
                "algorithm": algorithm,
                "dataset": dataset,
                "prompt_set": prompt_set,
                "model": model,
                "created_by": user,
                **limits,
            },
        )
        if is_new:
            jobs.enqueue(report)
        elif tries_again and report.status in {Job.Status.FAILED, Job.Status.CANCELLED}:
            jobs.reopen(report)
            report.refresh_from_db()
    return report


def known_report(
    *,
    algorithm: str,
    config: CommonConfig,
    dataset: Dataset | None = None,
    prompt_set: PromptSet | None = None,
    init_model: LanguageModel | None = None,
) -> DataReport | None:
    """The report that `request_report` would give, if somebody has asked for it before."""
    limits, model = limits_of(config), model_that_counts(init_model)
    key = report_key(algorithm=algorithm, dataset=dataset, prompt_set=prompt_set, model=model, **limits)
    return DataReport.objects.filter(key=key).first()


def limits_of(config: CommonConfig) -> dict[str, int]:
    """The settings that decide what is cut off."""
    return {
        "max_prompt_tokens": config.max_prompt_tokens,
        "max_completion_tokens": config.max_completion_tokens,
    }


def model_that_counts(init_model: LanguageModel | None) -> LanguageModel | None:
    """The model whose tokenizer is at hand, if it is."""
    return init_model if init_model is not None and init_model.has_weights else None


def report_key(
    *,
    algorithm: str,
    dataset: Dataset | None,
    prompt_set: PromptSet | None,
    model: LanguageModel | None,
    max_prompt_tokens: int,
    max_completion_tokens: int,
) -> str:
    """SHA-256 over all that a report depends on. A dataset is frozen; a prompt set may have grown."""
    num_prompts = prompt_set.prompts.count() if prompt_set else 0
    parts = [
        VERSION,
        algorithm,
        dataset.pk if dataset else None,
        prompt_set.pk if prompt_set else None,
        num_prompts,
        model.pk if model else None,
        max_prompt_tokens,
        max_completion_tokens,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
