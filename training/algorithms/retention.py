"""Which checkpoints of a run stay: the newest, the best on held-out rows, and those that became models.

The training process removes the others itself, so that a long run does not fill the disk. It knows no database: what
was published is marked in the checkpoint's folder. No torch here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from training.algorithms.checkpoints import numbered, remove

MARK: Final = Path("trainer") / "kept"  # a file in a checkpoint that nothing may remove
REMOVING_SUFFIX: Final = ".removing"
AUTOMATIC: Final = ("held_out_score", "held_out_accuracy", "held_out_loss")  # best_by = auto takes the first there is
LESS_IS_BETTER: Final = ("loss", "nll")  # in a measurement's name


def mark_kept(checkpoint: Path) -> None:
    """Nothing removes this checkpoint from now on. Raises `FileNotFoundError` if it has been removed already."""
    mark = checkpoint / MARK
    mark.parent.mkdir(exist_ok=True)
    mark.touch()


def unmark_kept(checkpoint: Path) -> None:
    """Let it be removed like the others."""
    (checkpoint / MARK).unlink(missing_ok=True)


def retain(folder: Path, *, num_newest: int, best_by: str | None) -> list[int]:
    """Remove all checkpoints but the newest `num_newest`, the best one and marked ones; the bytes that each freed."""
    steps = dict(numbered(folder))
    kept = {*sorted(steps)[-num_newest:], best_step(steps, best_by)}
    freed = [remove_unmarked(steps[step]) for step in sorted(set(steps) - kept)]
    return [num_bytes for num_bytes in freed if num_bytes]


def best_step(steps: dict[int, Path], best_by: str | None) -> int | None:
    """The step of the best checkpoint, of equally good ones the newest; None if nothing was measured."""
    if best_by is None:
        return None
    found = {step: measured(path) for step, path in steps.items()}
    names = AUTOMATIC if best_by == "auto" else (best_by,)
    name = next((name for name in names if any(name in values for values in found.values())), None)
    if name is None:
        return None
    sign = -1.0 if any(word in name for word in LESS_IS_BETTER) else 1.0
    return max((sign * values[name], step) for step, values in found.items() if name in values)[1]


def measured(checkpoint: Path) -> dict[str, float]:
    """What held-out rows said about a checkpoint; empty if they were not asked at its step."""
    try:
        state: dict[str, Any] = json.loads((checkpoint / "trainer" / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(state.get("held_out", {}))


def remove_unmarked(checkpoint: Path) -> int:
    """Remove a checkpoint unless it is marked, even at this very moment; the bytes that it freed.

    It is renamed first: whoever wants to mark it from then on finds nothing to mark.
    """
    doomed = checkpoint.with_name(checkpoint.name + REMOVING_SUFFIX)
    checkpoint.rename(doomed)
    if (doomed / MARK).exists():
        doomed.rename(checkpoint)
        return 0
    num_bytes = size_of(doomed)
    remove(doomed)
    return num_bytes


def finish_removals(folder: Path) -> None:
    """Go on with what a process that was killed had begun to remove."""
    for doomed in folder.glob("*" + REMOVING_SUFFIX):
        if (doomed / MARK).exists():
            doomed.rename(doomed.with_name(doomed.name.removesuffix(REMOVING_SUFFIX)))
        else:
            remove(doomed)


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder; what vanishes meanwhile counts nothing."""
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield path.stat().st_size
