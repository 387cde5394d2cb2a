"""Prompt sets, language models, sampling runs and completions, with full provenance."""

from generation.models.completions import Completion, CompletionFlag, PromptDiversity
from generation.models.constitutions import Constitution, ConstitutionVersion, Revision, RevisionRun
from generation.models.guards import GuardRun, GuardVerdict
from generation.models.language_models import EndpointCheck, LanguageModel
from generation.models.prompts import Prompt, PromptSet
from generation.models.sampling import SamplingArm, SamplingFailure, SamplingRun
from generation.models.scoring import CompletionScore, ScoringRun
from generation.models.serving import ServingRun

__all__ = [
    "Completion",
    "CompletionFlag",
    "CompletionScore",
    "Constitution",
    "ConstitutionVersion",
    "EndpointCheck",
    "GuardRun",
    "GuardVerdict",
    "LanguageModel",
    "Prompt",
    "PromptDiversity",
    "PromptSet",
    "Revision",
    "RevisionRun",
    "SamplingArm",
    "SamplingFailure",
    "SamplingRun",
    "ScoringRun",
    "ServingRun",
]
