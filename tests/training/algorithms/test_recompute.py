"""Layers that are computed again for the gradient change no number and keep less."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.algorithms.builders import carry_out, events, language_model, order, saved_model
from training.algorithms import recompute
from training.algorithms.batches import collate, completion_logps
from training.algorithms.config import DPOConfig
from training.algorithms.models import LanguageModel
from training.algorithms.preparation import compile_layers, largest_pass
from training.algorithms.recompute import compute_layers_again, has_to_forget
from training.algorithms.tokenisation import TokenTree

TREES = [
    TokenTree(prompt=tuple(range(3, 19)), completions=((50, 51, 52, 2), (60, 2), (61, 62, 63, 64, 65, 2))),
    TokenTree(prompt=(1, 7), completions=((9, 2),)),
]


def gradient(model: LanguageModel) -> tuple[Tensor, int]:
    """The gradient of a batch, and how many bytes the forward pass kept for it."""
    kept: dict[int, int] = {}
    weights = {parameter.data_ptr() for parameter in model.network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logps_N = completion_logps(model, collate(TREES, pad_id=0)).logps_N
    logps_N.sum().backward()
    found = [p.grad.flatten() for p in model.network.parameters() if p.grad is not None]
    return torch.cat(found), sum(kept.values())


@pytest.mark.parametrize("layout", ["trees", "padded"])
def test_gradients_are_the_same_bit_for_bit_and_less_is_kept(layout: str) -> None:
    plain, forgetful = language_model(), language_model()
    compute_layers_again(forgetful.network)
    if layout == "padded":
        plain.network.set_attn_implementation("sdpa")
        forgetful.network.set_attn_implementation("sdpa")
    (expected, whole), (found, part) = gradient(plain), gradient(forgetful)
    assert torch.equal(found, expected)
    assert part < whole / 2


def test_a_run_that_computes_again_takes_the_same_steps_and_says_so(tmp_path: Path) -> None:
    start = saved_model(tmp_path / "policy")
    curves = []
    for word in ("off", "on"):
        directory = order(tmp_path / word, "dpo", {"activation_checkpointing": word, "max_steps": 3}, init_model=start)
        assert carry_out(directory) == 0
        said = [event["message"] for event in events(directory, "log")]
        assert any("computed again" in message for message in said) == (word == "on")
        curves.append([event["values"]["loss"] for event in events(directory, "step")])
    assert curves[0] == curves[1]


def test_left_open_it_depends_on_the_memory_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    network = language_model().network
    for num_bytes, expected in ((10**12, False), (10**4, True)):
        monkeypatch.setattr(recompute, "free_memory", lambda device, num_bytes=num_bytes: num_bytes)
        assert has_to_forget(network, DPOConfig(), num_tokens=1_000) is expected
        assert has_to_forget(network, DPOConfig(activation_checkpointing="on"), num_tokens=1_000)
        assert not has_to_forget(network, DPOConfig(activation_checkpointing="off"), num_tokens=1_000)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([5, 9, 7, 3], 16), ([50, 60, 70], 100), ([5, 300, 7], 300), ([], 0)],
    ids=["small batches", "cut batches", "a long example", "nothing"],
)
def test_the_largest_pass_is_no_larger_than_the_largest_batch(sizes: list[int], expected: int) -> None:
    assert largest_pass(sizes, DPOConfig(batch_size=2, micro_batch_tokens=100)) == expected


def test_the_estimate_of_what_layers_keep_is_near_what_they_keep() -> None:
    model = language_model()
    num_tokens = sum(tree.num_tokens for tree in TREES)
    kept = gradient(model)[1]
    assert 0.4 < recompute.kept_bytes(model.network) * num_tokens / kept < 2.5


def test_compiled_layers_have_the_same_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced and differentiated as torch does it, but not translated to C++, which takes most of a minute."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    plain, compiled = language_model(), language_model()
    compile_layers(compiled.network)
    compute_layers_again(compiled.network)
    torch.testing.assert_close(gradient(compiled)[0], gradient(plain)[0], atol=1e-4, rtol=1e-4)
