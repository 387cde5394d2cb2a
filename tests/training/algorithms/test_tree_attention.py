"""Rows of trees give what padding gives: hidden states, log-probabilities, scores and gradients."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3_5TextConfig,
    Qwen3Config,
)

from tests.training.algorithms.builders import language_model, reward_model, saved_model
from training.algorithms import batches, tree_attention
from training.algorithms.batches import collate, completion_logps, completion_scores, costs, sum_by_completion
from training.algorithms.layouts import tree_layout
from training.algorithms.models import LanguageModel, RewardModel, load_language_model
from training.algorithms.tokenisation import TokenTree
from training.algorithms.tree_attention import Forest, by_stretch, stretches
from training.algorithms.tree_support import PaddedInstead, let_read_trees, reads_trees

TREES = [
    TokenTree(prompt=(1, 40, 41, 42, 43), completions=((50, 51, 52, 2), (60, 2), (61, 62, 63, 64, 65, 2))),
    TokenTree(prompt=(1, 7), completions=((9, 2),)),
    TokenTree(prompt=(1, 20, 21, 22, 23, 24, 25, 26), completions=((2,), (80, 81, 2))),
]
SIZES: dict[str, Any] = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
}


def padded(network: PreTrainedModel) -> None:
    network.set_attn_implementation("sdpa")


def gradient(network: PreTrainedModel) -> Tensor:
    found = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    network.zero_grad()
    return torch.cat(found)


def fresh(config: PreTrainedConfig) -> PreTrainedModel:
    torch.manual_seed(0)
    network: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    network.eval()
    return network


@pytest.mark.parametrize("longest", [0, 96], ids=["stretches", "table"])
def test_log_probabilities_and_gradients_are_those_of_the_padded_layout(
    monkeypatch: pytest.MonkeyPatch, longest: int
) -> None:
    monkeypatch.setattr(batches, "tree_layout", partial(tree_layout, short_tree=longest))
    model = language_model()
    assert model.reads_trees
    found = []
    for switch in (lambda _: None, padded):
        switch(model.network)
        batch = collate(TREES, pad_id=0)
        logps_C = sum_by_completion(completion_logps(model, batch).logps_N, batch)
        (logps_C * torch.arange(1.0, 7.0)).sum().backward()
        found.append((logps_C.detach(), gradient(model.network)))
    torch.testing.assert_close(found[0][0], found[1][0], atol=2e-5, rtol=0)
    assert (found[0][1] - found[1][1]).norm() < 1e-5 * found[1][1].norm()


def test_scores_and_their_gradients_are_those_of_the_padded_layout(tmp_path: Path) -> None:
    model = reward_model(tmp_path)
    assert model.reads_trees
    found = []
    for switch in (lambda _: None, padded):
        switch(model.network)
        scores_C = completion_scores(model, collate(TREES, pad_id=0))
        scores_C.square().sum().backward()
        found.append((scores_C.detach(), gradient(model.network)))
    torch.testing.assert_close(found[0][0], found[1][0], atol=2e-5, rtol=0)
    assert (found[0][1] - found[1][1]).norm() < 1e-5 * found[1][1].norm()


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_models_with_fewer_key_heads_read_trees(family: str) -> None:
    configs = {"llama": LlamaConfig, "qwen3": Qwen3Config}
    network = fresh(configs[family](**SIZES))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        let_read_trees(network)
    assert reads_trees(network)


def test_a_sliding_window_is_told_and_padded() -> None:
    network = fresh(MistralConfig(**SIZES, sliding_window=16))
    with pytest.warns(PaddedInstead, match="sliding window of 16 tokens"):
        let_read_trees(network)
    assert not reads_trees(network)
    assert costs(LanguageModel(network), TREES) == [33, 4, 22]


def test_linear_attention_is_found_out_by_trying() -> None:
    linear: dict[str, Any] = {"layer_types": ["linear_attention", "full_attention"], "linear_num_key_heads": 2}
    linear |= {"linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
    network = fresh(Qwen3_5TextConfig(**SIZES, **linear))
    with pytest.warns(PaddedInstead, match="differ by"):
        let_read_trees(network)
    model = LanguageModel(network)
    assert not model.reads_trees
    batch = collate(TREES, pad_id=0)
    assert len(completion_logps(model, batch).logps_N) == len(batch.targets_N)


@pytest.mark.parametrize("broken", ["by_stretch", "by_table"])
def test_the_self_test_tries_both_ways_of_reading_a_row(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    right = getattr(tree_attention, broken)
    monkeypatch.setattr(tree_attention, broken, lambda *args, **settings: right(*args, **settings) + 1)
    network = fresh(LlamaConfig(**SIZES))
    with pytest.warns(PaddedInstead, match="differ by"):
        let_read_trees(network)
    assert not reads_trees(network)


def test_a_row_costs_its_tokens_once(tmp_path: Path) -> None:
    assert costs(RewardModel(reward_model(tmp_path).network), TREES) == [17, 4, 12]


def test_the_name_of_our_attention_does_not_go_to_disk(tmp_path: Path) -> None:
    folder = saved_model(tmp_path)
    assert "concord" not in (tmp_path / "config.json").read_text(encoding="utf-8")
    assert load_language_model(folder).reads_trees


def test_stretches_for_variable_length_attention_say_the_same() -> None:
    torch.manual_seed(0)
    forest = Forest(TREES, dtype=torch.float32, device=torch.device("cpu"))
    num_tokens = sum(tree.num_tokens for tree in TREES)
    query, key, value = torch.randn(3, 1, 2, num_tokens, 8)
    layout = stretches(forest.places, torch.device("cpu"))

    found = []
    for index in range(len(layout.query_ends) - 1):
        queries = slice(int(layout.query_ends[index]), int(layout.query_ends[index + 1]))
        keys = layout.keys[int(layout.key_ends[index]) : int(layout.key_ends[index + 1])]
        num_queries = queries.stop - queries.start
        mask = torch.ones(num_queries, len(keys), dtype=torch.bool).tril(len(keys) - num_queries)
        found.append(
            scaled_dot_product_attention(query[:, :, queries], key[:, :, keys], value[:, :, keys], attn_mask=mask)
        )

    expected = by_stretch(query, key, value, forest, scaling=None)
    torch.testing.assert_close(torch.cat(found, dim=2), expected)
    assert layout.longest_query == 9
    assert layout.longest_key == 11
