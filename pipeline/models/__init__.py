"""Pipeline runs with their steps, and schedules of training with their firings."""

from pipeline.models.pipelines import PipelineRun, PipelineStep, StepQuerySet
from pipeline.models.schedules import ScheduleFiring, TrainingSchedule

__all__ = ["PipelineRun", "PipelineStep", "ScheduleFiring", "StepQuerySet", "TrainingSchedule"]
