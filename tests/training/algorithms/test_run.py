"""Whole runs: every algorithm to its end, stops, kills in real processes, and orders that cannot be carried out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from transformers import MistralConfig, MistralForCausalLM

from tests.training.algorithms.builders import (
    carry_out,
    events,
    failure,
    order,
    rows,
    saved_model,
    saved_reward_model,
    start,
    tokenizer,
)
from training.algorithms.checkpoints import PARTIAL_SUFFIX, newest_valid
from training.algorithms.execution import execute
from training.algorithms.models import load_language_model, load_reward_model
from training.algorithms.session import Stopped, read_state
from training.algorithms.tokenisation import load_tokenizer

QUICK_PPO = {"max_steps": 4, "num_minibatches": 2, "num_critic_warmup": 1}


def made(tmp_path: Path, algorithm: str, name: str = "run", **config: object) -> Path:
    """A run directory of any algorithm, with the models that it needs."""
    return order(
        tmp_path / name,
        algorithm,
        {**(QUICK_PPO if algorithm == "ppo" else {"max_steps": 6}), **config},
        init_model=None if algorithm == "sft" else saved_model(tmp_path / "policy"),
        reward_model=saved_reward_model(tmp_path / "reward") if algorithm == "ppo" else None,
    )


def final_weights(directory: Path) -> bytes:
    """The bytes of the final model."""
    *_, final = (event for event in events(directory, "checkpoint") if event["is_final"])
    path = directory / str(final["path"]) / "model.safetensors"
    return path.read_bytes()


def wait_for(is_true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until it holds, or the process ends."""
    while process.poll() is None and not is_true():
        time.sleep(0.001)


def is_saving(directory: Path) -> bool:
    return any(name.endswith(PARTIAL_SUFFIX) for name in os.listdir(directory / "checkpoints"))


def has_event(directory: Path, kind: str) -> bool:
    path = directory / "events.jsonl"
    return path.exists() and f'"kind": "{kind}"' in path.read_text()


@pytest.mark.parametrize(
    ("algorithm", "step_values", "held_out_values"),
    [
        ("sft", {"loss", "token_accuracy"}, {"held_out_loss", "held_out_exact"}),
        ("reward", {"loss", "accuracy", "margin"}, {"held_out_loss", "held_out_accuracy", "held_out_margin"}),
        ("dpo", {"loss", "accuracy", "margin", "chosen_logps"}, {"held_out_accuracy", "held_out_margin"}),
        ("kto", {"loss", "accuracy", "margin", "kl_baseline"}, {"held_out_accuracy", "held_out_kl_baseline"}),
        ("orpo", {"loss", "accuracy", "margin", "chosen_nll"}, {"held_out_accuracy", "held_out_chosen_nll"}),
        ("simpo", {"loss", "accuracy", "margin", "chosen_logps"}, {"held_out_accuracy", "held_out_margin"}),
        ("ppo", {"score", "kl", "entropy", "clip_fraction", "ratio", "explained_variance", "eos_rate",
                 "response_length"}, {"held_out_score", "held_out_kl"}),
    ],
)  # fmt: skip
def test_an_algorithm_runs_to_its_end_and_leaves_a_model_that_loads(
    tmp_path: Path, algorithm: str, step_values: set[str], held_out_values: set[str]
) -> None:
    directory = made(tmp_path, algorithm, eval_every=2, checkpoint_every=2)
    assert carry_out(directory) == 0
    steps = events(directory, "step")
    assert [event["step"] for event in steps] == list(range(1, steps[-1]["num_steps"] + 1))
    assert step_values <= set(steps[0]["values"])
    assert events(directory, "evaluation")[0]["step"] == 0
    assert held_out_values <= set(events(directory, "evaluation")[-1]["values"])
    checkpoints = events(directory, "checkpoint")
    assert [event["is_final"] for event in checkpoints].count(True) == 1
    final = directory / checkpoints[-1]["path"]
    load_tokenizer(final)
    assert held_out_values <= set(read_state(final)["held_out"])
    (load_reward_model if algorithm == "reward" else load_language_model)(final)
    assert len(list((directory / "checkpoints").iterdir())) == 2
    assert not list(final.rglob("*.bin")) + list(final.rglob("*.pt")) + list(final.rglob("*.pkl"))
    assert bool(events(directory, "sample")) == (algorithm != "reward")


@pytest.mark.parametrize("algorithm", ["sft", "reward", "dpo", "ppo"])
def test_a_run_killed_in_a_save_resumes_to_the_same_bits(tmp_path: Path, algorithm: str) -> None:
    steps = 12 if algorithm == "ppo" else 60
    settings = {"max_steps": steps, "num_epochs": 60, "checkpoint_every": 2, "log_every": 1}
    whole = made(tmp_path, algorithm, "whole", **settings)
    assert carry_out(whole) == 0
    killed = order(
        tmp_path / "killed",
        algorithm,
        json.loads((whole / "spec.json").read_text())["config"],
        **{name: json.loads((whole / "spec.json").read_text())[name] for name in ("init_model", "reward_model")},
    )
    process = start(killed)
    wait_for(lambda: has_event(killed, "checkpoint") and is_saving(killed), process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    resumed = start(killed)
    resumed.communicate(timeout=120)
    assert resumed.returncode == 0
    assert any(event["message"].startswith("Resumed from step-") for event in events(killed, "log"))
    assert final_weights(killed) == final_weights(whole)


@pytest.mark.parametrize("algorithm", ["reward", "ppo"])
def test_a_run_in_bfloat16_resumes_to_the_same_bits(tmp_path: Path, algorithm: str) -> None:
    settings = {"dtype": "bfloat16", "num_epochs": 3, "checkpoint_every": 2, "learning_rate": 1e-2}
    whole, cut = (made(tmp_path, algorithm, name, **settings) for name in ("whole", "cut"))
    assert carry_out(whole) == 0
    stops = iter([False, False, False, True])
    with pytest.raises(Stopped):
        execute(cut, is_stop_requested=lambda: next(stops))
    assert carry_out(cut) == 0
    assert any("Resumed" in event["message"] for event in events(cut, "log"))
    assert final_weights(cut) == final_weights(whole)
    assert b'"BF16"' in final_weights(whole)[:10_000]


def test_sigterm_ends_a_run_after_its_step_with_a_checkpoint_to_resume_from(tmp_path: Path) -> None:
    directory = made(tmp_path, "sft", max_steps=100_000, num_epochs=100_000)
    process = start(directory)
    wait_for(lambda: has_event(directory, "step"), process)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    checkpoint = newest_valid(directory / "checkpoints", report=pytest.fail)
    assert checkpoint is not None
    assert checkpoint.step == events(directory, "step")[-1]["step"]
    assert not (directory / "failure.json").exists()


def test_sigterm_before_the_first_step_ends_a_run_too(tmp_path: Path) -> None:
    directory = made(tmp_path, "sft", max_steps=100_000, num_epochs=100_000)
    process = start(directory)
    wait_for(lambda: (directory / "events.jsonl").exists(), process)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_a_finished_run_started_again_changes_nothing(tmp_path: Path) -> None:
    directory = made(tmp_path, "sft")
    assert carry_out(directory) == 0
    before = final_weights(directory)
    assert carry_out(directory) == 0
    assert final_weights(directory) == before
    assert events(directory, "log")[-1]["message"] == "This run is finished already."


def test_a_final_checkpoint_that_was_never_announced_is_announced_by_the_next_process(tmp_path: Path) -> None:
    directory = made(tmp_path, "sft")
    assert carry_out(directory) == 0
    announced = events(directory, "checkpoint")[-1]
    (directory / "events.jsonl").unlink()  # as if it had been killed right after the rename
    assert carry_out(directory) == 0
    (again,) = events(directory, "checkpoint")
    assert {**again, "at": 0} == {**announced, "at": 0}


def test_the_goal_ends_sft_early(tmp_path: Path) -> None:
    directory = made(tmp_path, "sft", max_steps=50, num_epochs=50, eval_every=2, stop_at_exact=0.0)
    assert carry_out(directory) == 0
    assert events(directory, "step")[-1]["step"] == 2


def test_a_micro_batch_budget_does_not_change_the_loss(tmp_path: Path) -> None:
    losses = []
    for name, tokens in (("whole", 16_384), ("parts", 1)):
        directory = made(tmp_path, "dpo", name, micro_batch_tokens=tokens)
        assert carry_out(directory) == 0
        losses.append([event["values"]["loss"] for event in events(directory, "step")])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_dpo_starts_at_ln_2_and_a_zero_initialised_reward_model_too(tmp_path: Path) -> None:
    for algorithm in ("dpo", "reward"):
        directory = made(tmp_path, algorithm, algorithm)
        assert carry_out(directory) == 0
        assert events(directory, "step")[0]["values"]["loss"] == pytest.approx(0.693147, abs=1e-5)


def test_the_reference_is_computed_once_and_found_again(tmp_path: Path) -> None:
    directory = made(tmp_path, "dpo")
    assert carry_out(directory) == 0
    (cached,) = (directory / "cache").glob("reference-*.safetensors")
    assert load_file(cached)["logps_P2"].shape == (16, 2)


@pytest.mark.parametrize(
    ("algorithm", "damage", "kind", "said"),
    [
        ("sft", "config", "configuration", "did you mean learning_rate?"),
        ("sft", "hash", "data_error", "SHA-256"),
        ("sft", "no data", "data_error", "data.parquet is missing"),
        ("dpo", "no model", "model_error", "there is no such folder"),
        ("dpo", "no init", "configuration", "dpo needs init_model"),
        ("reward", "context", "configuration", "but the model has 64 positions"),
        ("sft", "nan", "not_a_number", "Lower learning_rate"),
        ("ppo", "other tokenizer", "model_error", "another tokenizer"),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why(
    tmp_path: Path, algorithm: str, damage: str, kind: str, said: str
) -> None:
    directory = made(tmp_path, algorithm)
    spec = json.loads((directory / "spec.json").read_text())
    if damage == "config":
        spec["config"]["learning_rat"] = 1.0
    elif damage == "hash":
        spec["data_sha256"] = "0" * 64
    elif damage == "no data":
        (directory / "data.parquet").unlink()
    elif damage == "no model":
        spec["init_model"] = str(tmp_path / "nowhere")
    elif damage == "no init":
        spec["init_model"] = None
    elif damage == "context":
        spec["config"]["max_prompt_tokens"] = 1000
    elif damage == "nan":
        spec["config"] |= {"learning_rate": 1e30, "max_steps": 50, "num_epochs": 50}
    else:
        tokenizer = load_tokenizer(spec["reward_model"])
        tokenizer.add_tokens(["strange"])
        tokenizer.save_pretrained(spec["reward_model"])
    (directory / "spec.json").write_text(json.dumps(spec))
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == kind
    assert said in failure(directory)["error"]


def test_a_bad_row_is_named_by_its_number(tmp_path: Path) -> None:
    data = rows("dpo")
    data[4]["rejected"] = data[4]["chosen"]
    directory = order(tmp_path / "run", "dpo", {}, data=data, init_model=saved_model(tmp_path / "policy"))
    assert carry_out(directory) == 1
    assert failure(directory) == {
        "kind": "data_error",
        "error": "data.parquet, row 5: chosen and rejected are the same text. Mend the row or leave it out, and freeze "
        "the dataset again.",
    }


def test_a_checkpoint_that_does_not_fit_on_the_disk_ends_the_run_with_nothing_half_written(tmp_path: Path) -> None:
    directory = made(tmp_path, "sft")
    mount = directory / "checkpoints"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a tiny file system needs root")
    try:
        assert carry_out(directory) == 1
        assert failure(directory)["kind"] == "disk_full"
        assert list(mount.iterdir()) == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_model_that_cannot_read_trees_trains_padded_and_the_log_says_why(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {"vocab_size": 280, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    heads: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64}
    folder = tmp_path / "mistral"
    MistralForCausalLM(MistralConfig(**sizes, **heads, sliding_window=32)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    directory = order(tmp_path / "run", "dpo", {}, init_model=str(folder))
    assert carry_out(directory) == 0
    assert any("batches are padded" in event["message"] for event in events(directory, "log"))
