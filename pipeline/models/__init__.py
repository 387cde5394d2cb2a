"""Pipeline runs with their steps, rounds, schedules of training with their firings, sweeps with their runs."""

from pipeline.models.pipelines import PipelineRun, PipelineStep, StepQuerySet
from pipeline.models.rounds import Round
from pipeline.models.schedules import ScheduleFiring, TrainingSchedule
from pipeline.models.sweeps import SweptRun, TrainingSweep

__all__ = [
    "PipelineRun",
    "PipelineStep",
    "Round",
    "ScheduleFiring",
    "StepQuerySet",
    "SweptRun",
    "TrainingSchedule",
    "TrainingSweep",
]
