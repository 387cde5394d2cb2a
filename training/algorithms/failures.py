"""The one error that a training run ends with, and how other exceptions become it."""

from __future__ import annotations

import errno
from typing import Final, Literal

FailureKind = Literal[
    "data_error",  # the data file: missing, changed, or a row that cannot be trained on
    "configuration",  # the settings: unknown, out of range or contradictory
    "not_a_number",  # the loss or its gradient stopped being finite
    "out_of_memory",  # host or device memory
    "disk_full",  # no space for a checkpoint, an event or a cache
    "model_error",  # a model folder that is incomplete or of the wrong kind
    "unknown",  # everything else
]

DISK_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# safetensors and pyarrow wrap the operating system's error and keep only its text.
DISK_FULL_TEXTS: Final = ("no space left on device", "os error 28", "disk quota exceeded")


class TrainingFailure(Exception):
    """A run cannot go on. `kind` is for programs, the text says what was wrong, where, and what to do.

    `may_shrink`: with forward passes of fewer tokens it might have, and a supervisor may try so.
    """

    def __init__(self, kind: FailureKind, error: str, *, may_shrink: bool = False) -> None:
        super().__init__(error)
        self.kind: FailureKind = kind
        self.may_shrink = may_shrink


def is_disk_full(error: BaseException) -> bool:
    """Whether `error` says that the disk is full, whichever library raised it."""
    if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
        return True
    return any(text in str(error).lower() for text in DISK_FULL_TEXTS)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the memory of the host or of a device ran out."""
    text = str(error)
    is_named_so = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's, without torch
    return is_named_so or "out of memory" in text or "can't allocate memory" in text


def failure_from(error: BaseException) -> TrainingFailure:
    """The failure that `error` stands for; an exception that nobody foresaw is `unknown`."""
    if isinstance(error, TrainingFailure):
        return error
    if is_disk_full(error):
        return TrainingFailure("disk_full", f"The disk is full: {error}. Free some space and resume the run.")
    if is_out_of_memory(error):
        advice = "Lower micro_batch_tokens; the loss does not change by it."
        text = f"Out of memory: {str(error) or type(error).__name__}. {advice}"
        return TrainingFailure("out_of_memory", text, may_shrink=True)
    return TrainingFailure("unknown", f"{type(error).__name__}: {error}")
