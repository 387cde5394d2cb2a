"""What a training run took and was made with, for its page."""

from __future__ import annotations

import re

from django.db.models import FloatField, Max
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from training.models import Metric, TrainingRun

ALERT = re.compile(r"^\d\d:\d\d:\d\d Alert: (.+)$", re.MULTILINE)  # as training.event_tail writes messages

HASHES = {
    "code_revision": "Code revision",
    "trainer_sha256": "Training code",
    "lock_sha256": "Lock file",
    "template_sha256": "Chat template",
}


def alerts_in(log: str) -> list[str]:
    """What guards and monitors have said, each once; a resumed run says again what came after its checkpoint."""
    return list(dict.fromkeys(ALERT.findall(log)))


def peak_memory(run: TrainingRun) -> float | None:
    """Bytes; None if no step has told."""
    steps = run.metrics.filter(kind=Metric.Kind.STEP, values__has_key="memory_mb")
    megabytes = Cast(KeyTextTransform("memory_mb", "values"), FloatField())
    found: float | None = steps.aggregate(peak=Max(megabytes))["peak"]
    return found * 1e6 if found is not None else None


def made_with(run: TrainingRun) -> list[tuple[str, str]]:
    """(what, value) of its provenance: hashes shortened, versions in full; empty before it has started."""
    made = run.provenance
    hashes = [(title, f"{made[name][:12]}…") for name, title in HASHES.items() if made.get(name)]
    packages = [(name, number) for name, number in made.get("packages", {}).items() if number]
    python = [("Python", made["python"])] if made.get("python") else []
    return [*hashes, *python, *packages]
