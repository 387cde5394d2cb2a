"""A run's immutable order: `spec.json`, and the hash of the data it was written for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.algorithms.config import Config, InvalidConfiguration, parse_config
from training.algorithms.failures import TrainingFailure

VERSION = 1
VLLM_PYTHON: Final = "CONCORD_VLLM_PYTHON"  # the environment variable with the interpreter of vLLM's environment
REFERENCE_CACHE: Final = "CONCORD_REFERENCE_CACHE"  # the environment variable with a folder for all runs


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What to train, from what, and how."""

    algorithm: str  # a key of config.CONFIGS
    seed: int  # of data order, initial weights and sampling
    config: Config
    init_model: str | None  # folder or hub id that training starts from; None = a fresh model (sft only)
    reward_model: str | None  # folder of a reward model (ppo only)
    held_out_reward_model: str | None = None  # folder of one that only measures (ppo only)
    data_sha256: str  # of data.parquet
    num_threads: int  # CPU threads; part of the order because sums depend on it in the last bit


def read_spec(directory: Path) -> Spec:
    """The order in `directory`. Raises `TrainingFailure` of kind configuration."""
    try:
        fields = json.loads((directory / "spec.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidConfiguration(f"spec.json cannot be read: {error}") from error
    return parse_spec(fields)


def parse_spec(fields: Mapping[str, Any]) -> Spec:
    """A checked order from its JSON object."""
    if fields.get("version") != VERSION:
        raise InvalidConfiguration(f"spec.json must have version {VERSION}, got {fields.get('version')!r}.")
    try:
        spec = Spec(
            algorithm=fields["algorithm"],
            seed=int(fields["seed"]),
            config=parse_config(fields["algorithm"], fields["config"]),
            init_model=fields["init_model"],
            reward_model=fields["reward_model"],
            held_out_reward_model=fields.get("held_out_reward_model"),
            data_sha256=fields["data_sha256"],
            num_threads=int(fields["num_threads"]),
        )
    except KeyError as error:
        raise InvalidConfiguration(f"spec.json lacks {error.args[0]}.") from error
    check_models(spec)
    return spec


def check_models(spec: Spec) -> None:
    """Raise unless the models fit the algorithm."""
    if spec.init_model is None and spec.algorithm != "sft":
        raise InvalidConfiguration(f"{spec.algorithm} needs init_model; only sft can start a fresh model.")
    if spec.init_model is None and spec.config.lora is not None:
        raise InvalidConfiguration("lora adapts an initial model; a fresh one has nothing to keep: leave lora out.")
    if (spec.reward_model is None) == (spec.algorithm == "ppo"):
        raise InvalidConfiguration(f"reward_model is for ppo, which needs it; this is {spec.algorithm}.")
    check_held_out_judge(spec)
    if spec.num_threads < 1:
        raise InvalidConfiguration(f"num_threads must be at least 1, got {spec.num_threads}.")


def check_held_out_judge(spec: Spec) -> None:
    """Raise unless a held-out reward model is another one than the rewarding one, and is ever asked."""
    if spec.held_out_reward_model is None:
        return
    if spec.algorithm != "ppo":
        raise InvalidConfiguration(f"held_out_reward_model is for ppo; this is {spec.algorithm}.")
    if spec.held_out_reward_model == spec.reward_model:
        raise InvalidConfiguration("held_out_reward_model must be another one than reward_model: it is what checks it.")
    if not spec.config.eval_every:
        raise InvalidConfiguration("held_out_reward_model is asked at evaluations: set eval_every above 0.")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_data(path: Path, *, sha256: str) -> None:
    """Raise `TrainingFailure` of kind data_error unless the data are those that the order names."""
    if not path.is_file():
        raise TrainingFailure("data_error", f"{path.name} is missing from the run directory.")
    actual = file_sha256(path)
    if actual != sha256:
        advice = "Freeze the dataset again and start a new run."
        raise TrainingFailure("data_error", f"{path.name} has SHA-256 {actual}, the order says {sha256}. {advice}")
