"""Gradients do not depend on how a batch is cut, nor on how many processes compute it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.algorithms.builders import carry_out, events, failure, order, saved_model, saved_reward_model
from training.algorithms import dpo, reference
from training.algorithms.execution import execute
from training.algorithms.ppo_update import Update
from training.algorithms.session import Stopped
from training.algorithms.spec import REFERENCE_CACHE
from training.algorithms.token_limit import halve_token_limit, token_limit
from training.algorithms.tokenisation import TokenTree

SETTINGS = {"batch_size": 6, "num_epochs": 2, "learning_rate": 1e-3}


def curve(directory: Path) -> list[float]:
    return [event["values"][name] for event in events(directory, "step") for name in ("loss", "grad_norm")]


def cuts(directory: Path) -> list[str]:
    return [event["message"] for event in events(directory, "log") if "forward passes are cut to" in event["message"]]


def short_of_memory(monkeypatch: pytest.MonkeyPatch, *, num_tokens: int) -> None:
    """Steps over more tokens than this fail as they do on a device that is full."""
    step = dpo.dpo_step

    def checked(model: Any, trees: Sequence[TokenTree], *args: Any, **settings: Any) -> Any:
        if sum(tree.num_tokens for tree in trees) > num_tokens and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return step(model, trees, *args, **settings)

    monkeypatch.setattr(dpo, "dpo_step", checked)


def test_running_out_of_memory_halves_the_budget_and_the_curve_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = saved_model(tmp_path / "policy")
    whole, short = (order(tmp_path / name, "dpo", SETTINGS, init_model=start) for name in ("whole", "short"))
    assert carry_out(whole) == 0
    short_of_memory(monkeypatch, num_tokens=60)
    assert carry_out(short) == 0
    assert any("forward passes are cut to" in event["message"] for event in events(short, "log"))
    assert curve(short) == pytest.approx(curve(whole), abs=1e-5)


def test_a_resumed_run_goes_on_with_the_smaller_budget_and_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = saved_model(tmp_path / "policy")
    whole, cut = (order(tmp_path / name, "dpo", SETTINGS, init_model=start) for name in ("whole", "cut"))
    short_of_memory(monkeypatch, num_tokens=60)
    assert carry_out(whole) == 0
    stops = iter([False, False, True])
    with pytest.raises(Stopped):
        execute(cut, is_stop_requested=lambda: next(stops))
    num_halvings = len(cuts(cut))
    assert carry_out(cut) == 0
    assert len(cuts(cut)) == num_halvings == len(cuts(whole)) > 0
    assert curve(cut) == curve(whole)


def test_after_the_hosts_memory_ran_out_forward_passes_are_smaller_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = saved_model(tmp_path / "policy")
    whole, short = (order(tmp_path / name, "dpo", SETTINGS, init_model=start) for name in ("whole", "short"))
    assert carry_out(whole) == 0
    assert halve_token_limit(short, configured=128) == 64
    short_of_memory(monkeypatch, num_tokens=64)
    assert carry_out(short) == 0
    assert cuts(short) == []
    assert curve(short) == pytest.approx(curve(whole), abs=1e-5)


def test_ppo_halves_its_budget_too_and_the_curve_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models: dict[str, Any] = {
        "init_model": saved_model(tmp_path / "policy"),
        "reward_model": saved_reward_model(tmp_path / "reward"),
    }
    settings = {"max_steps": 3, "num_minibatches": 2, "num_critic_warmup": 1}
    whole, short = (order(tmp_path / name, "ppo", settings, **models) for name in ("whole", "short"))
    assert carry_out(whole) == 0
    backward = Update.backward

    def checked(update: Update, rollout: Any, targets: Any, group: Sequence[int], *args: Any, **more: Any) -> Any:
        if len(group) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return backward(update, rollout, targets, group, *args, **more)

    monkeypatch.setattr(Update, "backward", checked)
    assert carry_out(short) == 0
    assert cuts(short)
    scores, wanted = ([event["values"]["score"] for event in events(run, "step")] for run in (short, whole))
    assert scores == pytest.approx(wanted, abs=1e-4)


def test_a_token_limit_of_which_half_was_written_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "token-limit.json").write_text('{"max_to')
    assert token_limit(tmp_path, configured=500) == 500


def test_an_example_that_alone_is_too_long_ends_the_run_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = order(tmp_path / "run", "dpo", SETTINGS, init_model=saved_model(tmp_path / "policy"))
    short_of_memory(monkeypatch, num_tokens=3)
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "out_of_memory"
    assert "may_shrink" not in failure(directory)
    assert "a single example of" in failure(directory)["error"]


def test_memory_that_runs_out_beside_the_steps_asks_for_smaller_forward_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **settings: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(reference, "reference_logps", full)
    directory = order(tmp_path / "run", "dpo", SETTINGS, init_model=saved_model(tmp_path / "policy"))
    assert carry_out(directory) == 1
    written = json.loads((directory / "failure.json").read_text())
    assert (written["kind"], written["may_shrink"]) == ("out_of_memory", True)
    assert "Lower micro_batch_tokens" in written["error"]


def test_runs_share_what_the_reference_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REFERENCE_CACHE, str(tmp_path / "cache"))
    start = saved_model(tmp_path / "policy")
    first, second = (order(tmp_path / name, "dpo", SETTINGS, init_model=start) for name in ("first", "second"))
    assert carry_out(first) == 0
    monkeypatch.setattr(reference, "reference_logps", lambda *args, **settings: pytest.fail("computed again"))
    assert carry_out(second) == 0
    assert curve(second) == curve(first)
    assert len(list((tmp_path / "cache").iterdir())) == 1
