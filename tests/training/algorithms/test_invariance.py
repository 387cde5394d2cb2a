"""Oracle 5: however a batch is laid out, ordered, cut, shared or interrupted, training takes the same steps.

Two processes are in test_launch.py, two that share their weights in test_sharding.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.algorithms.builders import carry_out, events, language_model, order, saved_model
from training.algorithms import batches, models
from training.algorithms.batches import BatchOrder, collate, completion_logps, sum_by_completion
from training.algorithms.execution import execute
from training.algorithms.layouts import Layout, tree_layout
from training.algorithms.session import Stopped
from training.algorithms.tokenisation import TokenTree

SETTINGS = {"batch_size": 5, "num_epochs": 2, "learning_rate": 1e-3}
TREES = [
    TokenTree(prompt=(1, 40, 41, 42, 43), completions=((50, 51, 52, 2), (60, 2), (61, 62, 63, 64, 65, 2))),
    TokenTree(prompt=(1, 7), completions=((9, 2),)),
    TokenTree(prompt=(1, 20, 21, 22, 23, 24, 25, 26), completions=((2,), (80, 81, 2))),
]


def flat_layout(trees: Sequence[TokenTree], **settings: Any) -> Layout:
    """Rows without padding in which every completion has a prompt of its own."""
    alone = [TokenTree(prompt=tree.prompt, completions=(one,)) for tree in trees for one in tree.completions]
    return tree_layout(alone, **settings)


def unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared prompts in one row, short ones as a table."""


def in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "tree_layout", partial(tree_layout, short_tree=0))


def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "tree_layout", flat_layout)


def padded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "let_read_trees", lambda network: None)


def permuted(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = BatchOrder.batch
    monkeypatch.setattr(BatchOrder, "batch", lambda self, step: straight(self, step)[::-1])


LAYOUTS = (unchanged, in_stretches, flat, padded)


def curve(directory: Path) -> list[float]:
    """Loss and gradient norm of every step; of one that was repeated, the later."""
    values = {event["step"]: event["values"] for event in events(directory, "step")}
    return [values[step][name] for step in sorted(values) for name in ("loss", "grad_norm")]


@pytest.fixture(scope="module", params=["sft", "reward", "dpo", "kto", "reward lora", "dpo lora"])
def shared_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, str]:
    """An algorithm, a run of it in the usual layout, and the model that it started from."""
    folder = tmp_path_factory.mktemp("shared")
    start = saved_model(folder / "policy")
    directory = ordered(folder / "run", request.param, start)
    assert carry_out(directory) == 0
    return request.param, directory, start


def ordered(folder: Path, name: str, start: str, **settings: object) -> Path:
    """An order of an algorithm, of all weights or of an adapter."""
    algorithm, _, lora = name.partition(" ")
    return order(folder, algorithm, {**SETTINGS, **({"lora": {}} if lora else {}), **settings}, init_model=start)


def again(tmp_path: Path, shared_run: tuple[str, Path, str], **settings: object) -> Path:
    """The same order once more."""
    algorithm, _, start = shared_run
    return ordered(tmp_path / "run", algorithm, start, **settings)


@pytest.mark.parametrize("change", [*LAYOUTS[1:], permuted], ids=lambda change: str(change.__name__))
def test_layout_and_order_do_not_change_a_step(
    tmp_path: Path,
    shared_run: tuple[str, Path, str],
    change: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change(monkeypatch)
    directory = again(tmp_path, shared_run)
    assert carry_out(directory) == 0
    assert curve(directory) == pytest.approx(curve(shared_run[1]), rel=1e-4, abs=1e-5)


def test_micro_batches_of_single_examples_do_not_change_a_step(
    tmp_path: Path, shared_run: tuple[str, Path, str]
) -> None:
    directory = again(tmp_path, shared_run, micro_batch_tokens=1)
    assert carry_out(directory) == 0
    assert curve(directory) == pytest.approx(curve(shared_run[1]), rel=1e-4, abs=1e-5)


def test_an_interruption_does_not_change_a_bit(tmp_path: Path, shared_run: tuple[str, Path, str]) -> None:
    directory = again(tmp_path, shared_run)
    stops = iter([False, False, False, True])
    with pytest.raises(Stopped):
        execute(directory, is_stop_requested=lambda: next(stops))
    assert carry_out(directory) == 0
    assert curve(directory) == curve(shared_run[1])


@pytest.mark.parametrize("change", LAYOUTS, ids=lambda change: str(change.__name__))
def test_another_completion_with_other_tokens_moves_no_log_probability(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    model = language_model()
    if change is padded:
        model.network.set_attn_implementation("sdpa")

    @torch.no_grad()
    def logps(trees: Sequence[TokenTree]) -> Tensor:
        batch = collate(trees, pad_id=0)
        return sum_by_completion(completion_logps(model, batch).logps_N, batch)

    before_C = logps(TREES)
    number = 0
    for index, tree in enumerate(TREES):
        for place, completion in enumerate(tree.completions):
            other = tuple(90 - token for token in completion)
            changed = [*tree.completions[:place], other, *tree.completions[place + 1 :]]
            disturbed = [*TREES[:index], TokenTree(prompt=tree.prompt, completions=tuple(changed)), *TREES[index + 1 :]]
            difference_C = (logps(disturbed) - before_C).abs()
            assert difference_C[number] > 1e-3
            difference_C[number] = 0
            assert difference_C.max() < 1e-6
            number += 1
