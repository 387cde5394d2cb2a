"""Pipeline runs with their steps, rounds, and schedules of training with their firings."""

from pipeline.models.pipelines import PipelineRun, PipelineStep, StepQuerySet
from pipeline.models.rounds import Round
from pipeline.models.schedules import ScheduleFiring, TrainingSchedule

__all__ = ["PipelineRun", "PipelineStep", "Round", "ScheduleFiring", "StepQuerySet", "TrainingSchedule"]
