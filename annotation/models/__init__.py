"""Campaigns and what annotators do in them. People and judges share every table."""

from annotation.models.campaigns import Annotator, Campaign, Enrolment, GuidelineVersion, QuestionVersion
from annotation.models.comparisons import Candidate, Comparison, Skip, Slot
from annotation.models.datasets import Dataset
from annotation.models.judges import JudgeCall, JudgeVerdict, JudgeVersion, Routing
from annotation.models.judgments import Alert, Consensus, ConsensusRun, JudgingRun, Judgment

__all__ = [
    "Alert",
    "Annotator",
    "Campaign",
    "Candidate",
    "Comparison",
    "Consensus",
    "ConsensusRun",
    "Dataset",
    "Enrolment",
    "GuidelineVersion",
    "JudgeCall",
    "JudgeVerdict",
    "JudgeVersion",
    "JudgingRun",
    "Judgment",
    "QuestionVersion",
    "Routing",
    "Skip",
    "Slot",
]
