"""The path for GPUs, as far as a machine without one can go.

Tensors of the device `meta` have shapes but no numbers. Arithmetic between them and tensors of the host is an error,
as it is with a GPU, and so is asking one for its number, which on a GPU means to wait for it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import varlen
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, PreTrainedModel

from tests.training.algorithms.builders import carry_out, events, order, saved_model
from training.algorithms import tree_attention
from training.algorithms.batches import collate, completion_logps, completion_values, groups
from training.algorithms.config import DPOConfig, RewardConfig
from training.algorithms.devices import own_device, random_state, restore_random_state
from training.algorithms.dpo import dpo_step
from training.algorithms.failures import failure_from, is_out_of_memory
from training.algorithms.judged_trees import JudgedPair, JudgedTree
from training.algorithms.layouts import tree_layout
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.reward import measures, reward_loss, score
from training.algorithms.sft import sft_step
from training.algorithms.tokenisation import TokenTree
from training.algorithms.tree_support import (
    PaddedInstead,
    TreesUnsupported,
    check_gradient,
    let_read_trees,
    reads_trees,
)

META = torch.device("meta")
PAIRS = [
    TokenTree(prompt=(1, 40, 41, 42), completions=((50, 51, 52, 2), (60, 2))),
    TokenTree(prompt=(1, 7), completions=((9, 2), (61, 62, 63, 2))),
]
CONFIG = LlamaConfig(
    vocab_size=99,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    pad_token_id=0,
)
READINGS = ("varlen", "stretches")  # of padded batches transformers asks once whether their rows are packed


@pytest.fixture(params=READINGS)
def language_model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LanguageModel:
    """A bfloat16 Llama on the device `meta` that reads its batches in one of the two ways."""
    return LanguageModel(ready(LlamaForCausalLM(CONFIG), request.param, monkeypatch))


@pytest.fixture(params=READINGS)
def reward_model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RewardModel:
    """The same with a scalar head."""
    return RewardModel(ready(LlamaForSequenceClassification(CONFIG), request.param, monkeypatch))


def ready(network: PreTrainedModel, reading: str, monkeypatch: pytest.MonkeyPatch) -> PreTrainedModel:
    network.eval().to("meta", torch.bfloat16)
    network.set_attn_implementation(tree_attention.TREE_ATTENTION)
    monkeypatch.setattr(tree_attention, "takes_variable_lengths", lambda query: reading == "varlen")
    return network


def check(model: LanguageModel | RewardModel, loss: Tensor, *others: Tensor) -> None:
    """The loss reaches the embedding, and nothing has left the device."""
    assert {tensor.device for tensor in (loss, *others)} == {META}
    loss.backward()
    gradient = next(model.network.parameters()).grad
    assert gradient is not None
    assert gradient.device == META


def test_a_micro_batch_of_dpo_never_waits_for_its_device(language_model: LanguageModel) -> None:
    known = (torch.zeros(2, 2, device="meta"), torch.ones(2, device="meta"), torch.ones(2, device="meta"))
    for config in (DPOConfig(), DPOConfig(loss="ipo")):
        loss, sums = dpo_step(language_model, PAIRS, *known, config, pad_id=0)
        check(language_model, loss, *sums.values())


def test_a_micro_batch_of_sft_never_waits_for_its_device(language_model: LanguageModel) -> None:
    loss, sums = sft_step(language_model, PAIRS, pad_id=0)
    check(language_model, loss, *sums.values())


@pytest.mark.parametrize("ranking_loss", ["pairs", "plackett_luce"])
def test_a_micro_batch_of_a_reward_model_never_waits_for_its_device(
    reward_model: RewardModel, ranking_loss: str
) -> None:
    pair = JudgedPair(chosen=0, rejected=1, weight=1.0, p_chosen=1.0, p_tied=0.0, margin=0.0, share=1.0)
    items = [JudgedTree(tree=tree, pairs=[pair], weight=1.0, tiers=((0,), (1,))) for tree in PAIRS]
    scored = score(reward_model, items, pad_id=0)
    loss = reward_loss(scored, RewardConfig(ranking_loss=ranking_loss))
    check(reward_model, loss, *measures(scored).values())


def test_a_critic_never_waits_for_its_device(reward_model: RewardModel) -> None:
    values_N = completion_values(reward_model, collate(PAIRS, pad_id=0, device=META))
    check(reward_model, values_N.sum())


def test_variable_length_attention_gets_what_torch_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contiguous (tokens, heads, channels), int32 ends on the same device, lengths as numbers."""
    calls: list[tuple[list[Any], dict[str, Any]]] = []
    original = varlen.varlen_attn

    def noted(*args: Any, **settings: Any) -> Any:
        calls.append((list(args), settings))
        return original(*args, **settings)

    monkeypatch.setattr(varlen, "varlen_attn", noted)
    network = ready(LlamaForCausalLM(CONFIG), "varlen", monkeypatch)
    completion_logps(LanguageModel(network), collate(PAIRS, pad_id=0, device=META))
    assert len(calls) == CONFIG.num_hidden_layers
    (query, key, value, query_ends, key_ends, longest_query, longest_key), settings = calls[0]
    assert query.shape == (18, 4, 8)
    assert key.shape == value.shape == (18 + 4 + 2, 2, 8)
    assert all(tensor.is_contiguous() for tensor in (query, key, value))
    for ends in (query_ends, key_ends):
        assert (ends.dtype, ends.device, ends.shape) == (torch.int32, META, (1 + 4,))
    assert (longest_query, longest_key) == (8, 8)
    assert settings["window_size"] == (-1, 0)
    assert settings["enable_gqa"]


def test_where_variable_length_attention_is_not_to_be_had_batches_are_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_attention, "takes_variable_lengths", lambda query: True)
    network = LlamaForCausalLM(copy.deepcopy(CONFIG)).eval()
    network.set_attn_implementation("sdpa")
    with pytest.warns(PaddedInstead, match="_flash_attention_forward"):
        let_read_trees(network)
    assert not reads_trees(network)


def test_the_trial_on_a_gpu_asks_for_a_gradient_too() -> None:
    network = LlamaForCausalLM(copy.deepcopy(CONFIG)).eval()
    network.set_attn_implementation(tree_attention.TREE_ATTENTION)
    layout = tree_layout(PAIRS, dtype=torch.float32, device=torch.device("cpu"))
    check_gradient(network, layout)
    assert all(parameter.grad is None for parameter in network.parameters())
    torch.nn.init.constant_(network.model.norm.weight, torch.inf)
    with pytest.raises(TreesUnsupported, match="not finite"):
        check_gradient(network, layout)


def test_batches_are_cut_without_a_look_at_the_device(language_model: LanguageModel) -> None:
    assert len(list(groups(language_model, PAIRS, max_tokens=1))) == 2


def test_a_process_takes_the_gpu_of_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_device() == torch.device("cpu") or torch.cuda.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert own_device() == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert own_device() == torch.device("cuda", 3)


def test_random_states_come_back() -> None:
    state = random_state(torch.device("cpu"))
    drawn = torch.rand(3)
    restore_random_state(state, torch.device("cpu"))
    assert torch.equal(torch.rand(3), drawn)


@pytest.mark.parametrize(
    "make", [lambda: torch.OutOfMemoryError("CUDA out of memory."), lambda: torch.OutOfMemoryError("")]
)
def test_torchs_own_error_is_out_of_memory(make: Callable[[], Exception]) -> None:
    assert is_out_of_memory(make())
    assert failure_from(make()).kind == "out_of_memory"


def test_every_step_says_what_memory_it_took(tmp_path: Path) -> None:
    directory = order(tmp_path / "run", "dpo", {"max_steps": 2}, init_model=saved_model(tmp_path / "policy"))
    assert carry_out(directory) == 0
    assert all(50 < event["values"]["memory_mb"] < 100_000 for event in events(directory, "step"))
