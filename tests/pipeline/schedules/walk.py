"""A firing driven step by step: what is quick is done for real, training and sampling are written as finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from annotation import tasks as annotation_tasks
from core.models import Job
from evaluation import tasks as evaluation_tasks
from generation.models import SamplingRun
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import firings
from tests.factory import Factory
from training.models import TrainingRun

MODEL_FILES = {"config.json": '{"model_type": "llama"}', "model.safetensors": "{}", "tokenizer.json": "{}"}
WRONG = "I do not know."


def judged_schedule(factory: Factory, **settings: Any) -> TrainingSchedule:
    """A schedule whose campaign has eight judgments."""
    return factory.schedule(**{"campaigns": [factory.judged_campaign()], **settings})


def fire(schedule: TrainingSchedule, asked: str = "time") -> ScheduleFiring:
    firing = firings.fire(schedule_id=schedule.pk, asked=asked)
    assert firing is not None
    return firing


def go_on(firing: ScheduleFiring) -> ScheduleFiring:
    """Advance it once and read it anew."""
    firings.advance(pk=firing.pk)
    advanced: ScheduleFiring = ScheduleFiring.objects.select_related("schedule").get(pk=firing.pk)
    return advanced


def freeze(firing: ScheduleFiring) -> None:
    annotation_tasks.freeze_dataset(firing.dataset_id)


def train(firing: ScheduleFiring) -> None:
    """The run ends with a checkpoint whose folder looks like a model."""
    assert firing.training_run is not None
    checkpoint = Factory().checkpoint(firing.training_run)
    write_model(checkpoint.folder)
    TrainingRun.objects.filter(pk=firing.training_run.pk).update(status=Job.Status.FINISHED)


def sample(firing: ScheduleFiring, *, num_right: int = 999, num_baseline_right: int = 0) -> None:
    """The candidate answers the first `num_right` held-out prompts right, the baseline `num_baseline_right` of them."""
    assert firing.sampling_run is not None
    run, factory = firing.sampling_run, Factory()
    prompt_set = run.prompt_set
    prompts = prompt_set.prompts.in_split(run.split, held_out_fraction=prompt_set.held_out_fraction)
    for arm in run.arms.all():
        most = num_right if arm.model_id == firing.candidate_id else num_baseline_right
        for number, prompt in enumerate(prompts):
            factory.sampled(arm, prompt, index=0, text=prompt.reference if number < most else WRONG)
    SamplingRun.objects.filter(pk=run.pk).update(status=Job.Status.FINISHED)


def evaluate(firing: ScheduleFiring) -> None:
    evaluation_tasks.run_evaluation(firing.evaluation_run_id)


def to_the_end(firing: ScheduleFiring, **sampled: int) -> ScheduleFiring:
    """Every step."""
    for step in (freeze, train):
        step(firing)
        firing = go_on(firing)
    sample(firing, **sampled)
    firing = go_on(firing)
    evaluate(firing)
    return go_on(firing)


def write_model(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**MODEL_FILES, "chat_template.jinja": "{}"}.items():
        (folder / name).write_text(text)
