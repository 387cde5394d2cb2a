"""Carrying out an order: check it, train, and write down why if that fails."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from transformers.utils import logging as transformers_logging

from training.algorithms.dpo import train_dpo
from training.algorithms.events import EventWriter
from training.algorithms.failures import TrainingFailure, failure_from
from training.algorithms.kto import train_kto
from training.algorithms.launch import DESERTED
from training.algorithms.orpo import train_orpo
from training.algorithms.ppo import train_ppo
from training.algorithms.reward import train_reward
from training.algorithms.session import Session, Stopped
from training.algorithms.sft import train_sft
from training.algorithms.simpo import train_simpo
from training.algorithms.spec import check_data, read_spec
from training.algorithms.team import Team, is_desertion, joined_team
from training.algorithms.token_limit import token_limit
from training.algorithms.tree_support import PaddedInstead

ALGORITHMS: Final[dict[str, Callable[[Session, Any], None]]] = {
    "sft": train_sft,
    "reward": train_reward,
    "dpo": train_dpo,
    "kto": train_kto,
    "orpo": train_orpo,
    "simpo": train_simpo,
    "ppo": train_ppo,
}
FINISHED: Final = 0
FAILED: Final = 1


def execute(directory: Path, *, is_stop_requested: Callable[[], bool]) -> int:
    """Carry out the order in `directory`; 0 if it finished, 1 if it failed, 75 if another process of its team did.

    Raises `Stopped` if asked to stop.
    """
    quieten()
    try:
        (directory / "failure.json").unlink(missing_ok=True)
        carry_out(directory, is_stop_requested)
    except Stopped:
        raise
    except Exception as error:  # the last resort: whatever it was is written down, and the exit code says it
        traceback.print_exc()
        if is_desertion(error):
            return DESERTED
        write_failure(directory, failure_from(error))
        return FAILED
    return FINISHED


def carry_out(directory: Path, is_stop_requested: Callable[[], bool]) -> None:
    """Check the order and its data, then train."""
    spec = read_spec(directory)
    with (
        joined_team() as team,
        EventWriter(events_path(directory, team)) as events,
    ):
        session = Session(directory=directory, spec=spec, events=events, is_stop_requested=is_stop_requested, team=team)
        check_data(session.data, sha256=spec.data_sha256)
        if session.is_finished():
            events.log("This run is finished already.")
            return
        limit = token_limit(directory, configured=spec.config.micro_batch_tokens)
        torch.set_num_threads(max(1, spec.num_threads // team.num_local))
        torch.manual_seed(spec.seed)
        with warnings.catch_warnings():
            warnings.showwarning = partial(show_warning, events)
            ALGORITHMS[spec.algorithm](session, dataclasses.replace(spec.config, micro_batch_tokens=limit))


def events_path(directory: Path, team: Team) -> Path:
    """Where this process writes its events: the leader's are the run's, nobody reads the others'."""
    return directory / "events.jsonl" if team.is_leader else Path(os.devnull)


def show_warning(
    events: EventWriter, message: Warning | str, category: type[Warning], *where: Any, **settings: Any
) -> None:
    """Our own warnings stand in the run's log; others go where all logging goes."""
    if issubclass(category, PaddedInstead):
        events.log(str(message))
    else:
        logging.getLogger("py.warnings").warning("%s: %s", category.__name__, message)


def write_failure(directory: Path, failure: TrainingFailure) -> None:
    """Leave the reason where the supervisor looks for it; on a full disk it is on stderr at least.

    The first reason stays: of several processes, the others only notice that one is gone.
    """
    written = {"kind": failure.kind, "error": str(failure), **({"may_shrink": True} if failure.may_shrink else {})}
    text = json.dumps(written, ensure_ascii=False)
    try:
        with (directory / "failure.json").open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        sys.stderr.write(text + "\n")


def quieten() -> None:
    """No progress bars and load reports of libraries on stderr, which the supervisor keeps as the log tail."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    logging.captureWarnings(True)
