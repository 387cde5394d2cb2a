"""What pages, REST and pipelines show of a campaign's judgments. Reads only; the numbers are `campaign_report`'s."""

from __future__ import annotations

from dataclasses import dataclass

from annotation.annotator_report import AnnotatorWork
from annotation.campaign_report import AgreementRow, dashboard, in_words
from annotation.models import Annotator, Campaign, Enrolment

__all__ = ["AgreementRow", "AnnotatorRow", "annotator_rows", "campaign_agreement", "in_words"]


@dataclass(frozen=True, kw_only=True)
class AnnotatorRow:
    """One annotator's place in a campaign, with the work done there."""

    annotator: Annotator
    enrolment: Enrolment
    work: AnnotatorWork

    @property
    def is_active(self) -> bool:
        return self.enrolment.is_active

    @property
    def pause_reason(self) -> str:
        return self.enrolment.pause_reason


def campaign_agreement(campaign: Campaign) -> list[AgreementRow]:
    """Coefficients over the main judgments: raw agreement and Krippendorff's alpha first."""
    return dashboard(campaign).coefficients


def annotator_rows(campaign: Campaign) -> list[AnnotatorRow]:
    """Everybody enrolled, people and judges alike, in the order of their enrolment."""
    works = dashboard(campaign).annotators
    return [
        AnnotatorRow(
            annotator=enrolment.annotator,
            enrolment=enrolment,
            work=works.get(enrolment.annotator_id) or AnnotatorWork(annotator=enrolment.annotator_id),
        )
        for enrolment in campaign.enrolments.select_related("annotator").order_by("pk")
    ]
