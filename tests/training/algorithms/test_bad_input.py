"""Orders, data and folders that are wrong: each run fails with a name, where it is, and what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.algorithms.builders import carry_out, events, failure, order, rows, saved_model
from training.algorithms import dpo

Rows = list[dict[str, Any]]


def one_pair(data: Rows) -> Rows:
    return data[:1]


def all_held_out(data: Rows) -> Rows:
    return [{**row, "split": "held_out"} for row in data]


def blank_reply(data: Rows) -> Rows:
    data[2]["chosen"] = "  "
    return data


def prompt_of_nobody(data: Rows) -> Rows:
    data[0]["prompt"] = json.dumps([])
    return data


def weight_of_nan(data: Rows) -> Rows:
    data[7]["weight"] = math.nan
    return data


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (one_pair, "has 1 of the 2 rows at least whose split is train. Freeze a dataset with more prompts"),
        (all_held_out, "has 0 of the 2 rows"),
        (blank_reply, "row 3: chosen must be a text that is not blank, got '  '. Mend the row"),
        (prompt_of_nobody, "row 1: the last turn of prompt must be the user's."),
        (weight_of_nan, "row 8: weight must be a number that is not negative, got nan."),
    ],
    ids=["one pair", "all held out", "blank reply", "no prompt", "no weight"],
)
def test_data_that_cannot_be_trained_on_name_the_row(tmp_path: Path, spoil: Callable[[Rows], Rows], words: str) -> None:
    start = saved_model(tmp_path / "policy")
    directory = order(tmp_path / "run", "dpo", {}, data=spoil(rows("dpo")), init_model=start)
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "data_error"
    assert words in failure(directory)["error"]


def test_demonstrations_of_silence_are_refused(tmp_path: Path) -> None:
    data = rows("sft")
    data[4]["completion"] = ""
    directory = order(tmp_path / "run", "sft", {}, data=data)
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "data_error"
    assert "row 5: completion must be a text that is not blank" in failure(directory)["error"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"learning_rat": 1.0}, "did you mean learning_rate?"),
        ({"robust": True}, "robust needs label_smoothing above 0"),
        ({"soft_labels": True, "label_smoothing": 0.1}, "leave one of them out"),
        ({"batch_size": "many"}, "batch_size must be int, got 'many'"),
        ({"best_by": "acuracy"}, "best_by must be auto, null or a name like held_out_loss"),
        ({"max_prompt_tokens": 1000}, "but the model has 64 positions. Lower one of them."),
    ],
    ids=["unknown", "contradictory", "both", "type", "measurement", "context"],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    directory = order(tmp_path / "run", "dpo", config, init_model=saved_model(tmp_path / "policy"))
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "configuration"
    assert words in failure(directory)["error"]


def test_prompts_longer_than_the_limit_lose_their_beginning_and_the_log_counts_them(tmp_path: Path) -> None:
    data = rows("dpo")
    long = [{"role": "user", "content": "Say owl. " * 50}]
    data[0]["prompt"] = json.dumps(long)
    directory = order(tmp_path / "run", "dpo", {"max_steps": 1}, data=data, init_model=saved_model(tmp_path / "policy"))
    assert carry_out(directory) == 0
    assert any(event["message"].startswith("1 prompts lost their beginning") for event in events(directory, "log"))


def test_a_loss_that_is_not_a_number_ends_the_run_and_leaves_no_checkpoint_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = saved_model(tmp_path / "policy")
    directory = order(tmp_path / "run", "dpo", {"checkpoint_every": 1}, init_model=start)
    step = dpo.dpo_step
    num_calls = 0

    def sick(*args: Any, **settings: Any) -> Any:
        nonlocal num_calls
        num_calls += torch.is_grad_enabled()
        loss, measures = step(*args, **settings)
        return (loss * math.nan if num_calls == 3 else loss), measures

    monkeypatch.setattr(dpo, "dpo_step", sick)
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "not_a_number"
    assert "The loss of step 3 is nan. Lower learning_rate" in failure(directory)["error"]
    (*_, newest) = sorted((directory / "checkpoints").iterdir())
    assert newest.name == "step-000002"
    assert all(tensor.isfinite().all() for tensor in load_file(newest / "model.safetensors").values())


def spoil_weights(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def test_a_model_of_which_half_is_there_is_named(tmp_path: Path) -> None:
    start = saved_model(tmp_path / "policy")
    spoil_weights(Path(start))
    directory = order(tmp_path / "run", "dpo", {}, init_model=start)
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "model_error"
    assert start in failure(directory)["error"]


@pytest.mark.parametrize("num_spoilt", [1, 2], ids=["the newest", "all"])
def test_corrupted_checkpoints_are_passed_over_and_the_bits_stay_the_same(tmp_path: Path, num_spoilt: int) -> None:
    start = saved_model(tmp_path / "policy")
    settings = {"checkpoint_every": 1, "num_epochs": 2}
    whole, spoilt = (order(tmp_path / name, "dpo", settings, init_model=start) for name in ("whole", "spoilt"))
    assert carry_out(whole) == 0
    assert carry_out(spoilt) == 0
    final, other = sorted((spoilt / "checkpoints").iterdir(), reverse=True)[:2]
    for folder in (final, other)[:num_spoilt]:
        spoil_weights(folder)
    assert carry_out(spoilt) == 0
    assert sum("Skipped the checkpoint" in event["message"] for event in events(spoilt, "log")) >= num_spoilt
    weights = [run / "checkpoints" / final.name / "model.safetensors" for run in (whole, spoilt)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
