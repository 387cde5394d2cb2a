"""The versions of a campaign's question and guidelines: who, when, what changed, and who works under which."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Count

from annotation.models import Annotator, Campaign, Judgment, QuestionVersion
from annotation.question import Question
from frontend.questions import QuestionForm
from frontend.version_changes import FieldChange, Line, line_changes, question_changes


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version, compared with the one before it."""

    number: int
    created_at: datetime
    created_by: str  # empty for versions from before they were kept, or whose author has left
    num_judgments: int  # current ones that were given under it
    fields: list[FieldChange]  # of questions
    lines: list[Line]  # of guidelines


def versions_of(campaign: Campaign) -> dict[str, Any]:
    """Both lists, newest first, and how many people have read the newest guidelines."""
    people = campaign.enrolments.filter(annotator__kind=Annotator.Kind.PERSON, is_active=True)
    return {
        "question_versions": _question_versions(campaign),
        "guideline_versions": _guideline_versions(campaign),
        "num_people": people.count(),
        "num_read": people.filter(acknowledged_version__gte=campaign.guideline_version).count(),
    }


def _question_versions(campaign: Campaign) -> list[Version]:
    counts = _judgments_by(campaign, "question_version")
    rows = list(campaign.question_versions.select_related("created_by").order_by("number"))
    return [
        Version(
            number=row.number,
            created_at=row.created_at,
            created_by=row.created_by.get_username() if row.created_by else "",
            num_judgments=counts[row.number],
            fields=_changes(before, row) if before else [],
            lines=[],
        )
        for before, row in zip([None, *rows], rows, strict=False)
    ][::-1]


def _guideline_versions(campaign: Campaign) -> list[Version]:
    counts = _judgments_by(campaign, "guideline_version")
    rows = list(campaign.guideline_versions.select_related("created_by").order_by("number"))
    return [
        Version(
            number=row.number,
            created_at=row.created_at,
            created_by=row.created_by.get_username() if row.created_by else "",
            num_judgments=counts[row.number],
            fields=[],
            lines=line_changes(before.text, row.text) if before else [],
        )
        for before, row in zip([None, *rows], rows, strict=False)
    ][::-1]


def _changes(before: QuestionVersion, after: QuestionVersion) -> list[FieldChange]:
    found = question_changes(Question.from_json(before.question), Question.from_json(after.question))
    return [replace(change, name=_label(change.name)) for change in found]


def _label(name: str) -> str:
    """As the form calls the field."""
    return str(QuestionForm.base_fields["ordered" if name == "allows_unranked" else name].label)


def _judgments_by(campaign: Campaign, column: str) -> Counter[int]:
    rows = Judgment.objects.current().filter(comparison__campaign=campaign).order_by()
    return Counter(dict(rows.values_list(column).annotate(num=Count("pk"))))
