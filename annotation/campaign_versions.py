"""New versions of what a campaign asks and tells. Judgments keep the version that they were given under."""

from typing import Any

from django.db import transaction

from accounts.models import User
from annotation.models import Campaign, GuidelineVersion, QuestionVersion
from annotation.question import Question
from core.errors import ConcordError


class RevisionRefused(ConcordError):
    """A campaign's question or guidelines cannot be changed like this."""

    status = 422
    title = "This cannot be changed"


def keep(campaign: Campaign, user: User | None) -> None:
    """Store the campaign's present question and guidelines as versions."""
    QuestionVersion.objects.create(
        campaign=campaign, number=campaign.question_version, question=campaign.question, created_by=user
    )
    GuidelineVersion.objects.create(
        campaign=campaign, number=campaign.guideline_version, text=campaign.guidelines, created_by=user
    )


def revise_question(*, campaign: Campaign, question: Question, user: User | None = None) -> int:
    """Ask this from the next task on; returns the version. The same question makes none. Raises `RevisionRefused`.

    The kind and the number of completions stay: comparisons and slots have been made for them.
    """
    with transaction.atomic():
        locked = _lock(campaign)
        before = Question.from_json(locked.question)
        if locked.comparisons.exists() and (question.kind, question.num_completions) != (
            before.kind,
            before.num_completions,
        ):
            raise RevisionRefused(
                f"{campaign} has comparisons for a {before.kind} question about {before.num_completions} completions; "
                "make a new campaign for another kind or number."
            )
        if question != before:
            locked.question, locked.question_version = question.to_json(), locked.question_version + 1
            locked.save(update_fields=["question", "question_version"])
            QuestionVersion.objects.create(
                campaign=locked, number=locked.question_version, question=locked.question, created_by=user
            )
    return _adopt(campaign, locked, "question", "question_version")


def revise_guidelines(*, campaign: Campaign, text: str, user: User | None = None) -> int:
    """Tell annotators this; each person must acknowledge it before the next task. Returns the version."""
    with transaction.atomic():
        locked = _lock(campaign)
        if text != locked.guidelines:
            locked.guidelines, locked.guideline_version = text, locked.guideline_version + 1
            locked.save(update_fields=["guidelines", "guideline_version"])
            GuidelineVersion.objects.create(
                campaign=locked, number=locked.guideline_version, text=text, created_by=user
            )
    return _adopt(campaign, locked, "guidelines", "guideline_version")


def _lock(campaign: Campaign) -> Campaign:
    locked: Campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.status == Campaign.Status.CLOSED:
        raise RevisionRefused(f"{campaign} is closed; it keeps its question and guidelines.")
    return locked


def _adopt(campaign: Campaign, locked: Campaign, *names: str) -> int:
    values: list[Any] = [getattr(locked, name) for name in names]
    for name, value in zip(names, values, strict=True):
        setattr(campaign, name, value)
    return int(values[-1])
