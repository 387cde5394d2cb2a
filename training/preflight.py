"""What a run will need, before it starts: from the model's files, the data and earlier runs. Nothing is loaded.

`training/algorithms/estimate.py` has the formulas, docs/explanation/estimates.md what they assume.
"""

import shutil
from pathlib import Path
from statistics import median

import psutil
from django.conf import settings

from annotation.models import Dataset
from core.models import Job
from generation.models import LanguageModel, PromptSet
from training.algorithms.config import Config, SFTConfig
from training.algorithms.estimate import Estimate, estimated
from training.algorithms.model_shape import ModelShape, fresh_shape, shape_of
from training.data_shapes import data_shape
from training.models import DataReport, TrainingRun
from training.run_directory import num_threads

NUM_EARLIER = 5  # finished runs whose speed is taken for the next one's
SHORTEST_SECONDS = 20.0  # of a run whose speed says something
CPU_SPEED = 20e9  # floating-point operations a second of one thread, where nothing has been trained yet
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
GIB = 2**30


def estimate_run(
    *,
    algorithm: str,
    config: Config,
    dataset: Dataset | None = None,
    prompt_set: PromptSet | None = None,
    init_model: LanguageModel | None = None,
    report: DataReport | None = None,
) -> Estimate:
    """The estimate of a run of these parts; what a finished report has counted is taken from it."""
    model = model_shape(config, init_model)
    data = data_shape(algorithm, config, dataset=dataset, prompt_set=prompt_set, report=report)
    return estimated(algorithm, config, data, model, expected_speed(config.dtype))


def why_not(estimate: Estimate) -> str | None:
    """Why this run clearly cannot be carried out here, and what to do; None if it may."""
    memory = machine_memory()
    if estimate.least_memory is not None and estimate.least_memory > memory:
        return (
            f"Weights, gradients and optimiser of {in_millions(estimate.num_parameters)} million parameters take "
            f"{gib(estimate.least_memory)} GiB, this machine has {gib(memory)} GiB. Start from a smaller model, or on "
            "a machine with more memory."
        )
    least = estimate.disk["final checkpoint"] if estimate.disk else 0.0
    free = free_disk()
    if least > free:
        return (
            f"The final checkpoint alone takes {gib(least)} GiB, where runs are kept {gib(free)} GiB are free. Delete "
            "what is no longer wanted, or move CONCORD_VAR_DIR to a larger disk."
        )
    return None


def too_long(config: Config, init_model: LanguageModel | None) -> str | None:
    """Why the model cannot read rows of these limits; None if it can, or if that is not known."""
    shape = model_shape(config, init_model)
    wanted = config.max_prompt_tokens + config.max_completion_tokens
    if shape is None or shape.context_tokens is None or wanted <= shape.context_tokens:
        return None
    return (
        f"max_prompt_tokens + max_completion_tokens is {wanted}, but the model has {shape.context_tokens} positions. "
        "Lower one of them."
    )


def warnings_of(estimate: Estimate) -> list[str]:
    """What may go wrong, though it need not."""
    found = []
    memory = machine_memory()
    if estimate.memory_bytes is not None and estimate.memory_bytes > 0.9 * memory:
        found.append(
            f"It may need more memory than the {gib(memory)} GiB here. Lower micro_batch_tokens; "
            "that does not change the loss."
        )
    if estimate.disk_bytes is not None and estimate.disk_bytes > free_disk():
        found.append(f"Its checkpoints may fill the disk, of which {gib(free_disk())} GiB are free.")
    return found


def model_shape(config: Config, init_model: LanguageModel | None) -> ModelShape | None:
    """The model that is trained; None where its files cannot be read."""
    if init_model is not None:
        return shape_of(init_model.location) if init_model.has_weights else None
    return fresh_shape(config.fresh) if isinstance(config, SFTConfig) else None


def expected_speed(dtype: str) -> float:
    """Floating-point operations a second: the median of earlier runs here, else an assumption."""
    rows = TrainingRun.objects.filter(status=Job.Status.FINISHED, config__dtype=dtype).exclude(estimate={})
    earlier = [_speed(run) for run in rows.order_by("-finished_at", "-pk")[: 4 * NUM_EARLIER]]
    known = [speed for speed in earlier if speed is not None][:NUM_EARLIER]
    if known:
        return median(known)
    return CPU_SPEED * num_threads()


def machine_memory() -> int:
    """Bytes that processes of this machine, or of this container, may take together."""
    total = int(psutil.virtual_memory().total)
    try:
        limit = CGROUP_LIMIT.read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdecimal() else total


def free_disk() -> int:
    """Bytes that are free where runs are kept."""
    folder = Path(settings.RUNS_DIR)
    known = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(known).free


def gib(num_bytes: float) -> str:
    """1.6 for 1,717,986,918."""
    return f"{num_bytes / GIB:,.1f}"


def in_millions(count: int | None) -> str:
    return f"{(count or 0) / 1e6:,.1f}"


def _speed(run: TrainingRun) -> float | None:
    flops, seconds = run.estimate.get("flops"), run.seconds
    planned, done = run.estimate.get("num_steps"), run.num_done
    if not (flops and seconds and planned and done) or seconds < SHORTEST_SECONDS:
        return None
    return float(flops * min(1.0, done / planned) / seconds)
