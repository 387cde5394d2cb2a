"""`python -m training.algorithms.run RUN_DIR`: carry out the order in a run directory.

Exit codes: 0 finished, 1 failed (failure.json says why), 143 stopped by SIGTERM after saving a checkpoint.
"""

from __future__ import annotations

import ctypes
import json
import logging
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
import transformers

from training.algorithms.dpo import train_dpo
from training.algorithms.events import EventWriter
from training.algorithms.failures import TrainingFailure, failure_from
from training.algorithms.ppo import train_ppo
from training.algorithms.reward import train_reward
from training.algorithms.session import Session, Stopped
from training.algorithms.sft import train_sft
from training.algorithms.spec import check_data, read_spec

ALGORITHMS: Final[dict[str, Callable[[Session, Any], None]]] = {
    "sft": train_sft,
    "reward": train_reward,
    "dpo": train_dpo,
    "ppo": train_ppo,
}

FINISHED: Final = 0
FAILED: Final = 1
STOPPED: Final = 128 + signal.SIGTERM
PR_SET_PDEATHSIG: Final = 1


def main(directory: Path) -> int:
    """Carry out the order in `directory`; returns the exit code."""
    die_with_parent()
    quieten()
    (directory / "failure.json").unlink(missing_ok=True)
    try:
        carry_out(directory)
    except Stopped:
        return STOPPED
    except Exception as error:  # the last resort: whatever it was is written down, and the exit code says it
        traceback.print_exc()
        write_failure(directory, failure_from(error))
        return FAILED
    return FINISHED


def carry_out(directory: Path) -> None:
    """Check the order and its data, then train."""
    spec = read_spec(directory)
    with EventWriter(directory / "events.jsonl") as events:
        session = Session(directory=directory, spec=spec, events=events)
        signal.signal(signal.SIGTERM, lambda number, frame: setattr(session, "is_stop_requested", True))
        check_data(session.data, sha256=spec.data_sha256)
        if session.is_finished():
            events.log("This run is finished already.")
            return
        torch.set_num_threads(spec.num_threads)
        torch.manual_seed(spec.seed)
        ALGORITHMS[spec.algorithm](session, spec.config)


def write_failure(directory: Path, failure: TrainingFailure) -> None:
    """Leave the reason where the supervisor looks for it; on a full disk it is on stderr at least."""
    text = json.dumps({"kind": failure.kind, "error": str(failure)}, ensure_ascii=False)
    try:
        (directory / "failure.json").write_text(text, encoding="utf-8")
    except OSError:
        sys.stderr.write(text + "\n")


def die_with_parent() -> None:
    """Ask Linux to end this process by SIGTERM when its supervisor dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def quieten() -> None:
    """No progress bars and load reports of libraries on stderr, which the supervisor keeps as the log tail."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    logging.captureWarnings(True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
