"""Models: fresh, loaded, refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import Gemma2Config, Gemma2ForCausalLM

from tests.training.algorithms.builders import language_model, saved_model
from training.algorithms.models import (
    LanguageModel,
    ModelInvalid,
    check_head,
    fresh_language_model,
    load_language_model,
    reward_model_from,
)
from training.algorithms.presets import starter_sft
from training.algorithms.tokenisation import train_tokenizer


def head_weights(model: LanguageModel) -> Tensor:
    return dict(model.head.named_parameters())["weight"]


def test_a_fresh_model_is_a_function_of_its_seed() -> None:
    first, again, other = (head_weights(language_model(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_demonstration_starts_a_model_of_two_to_five_million_parameters() -> None:
    fresh = starter_sft().fresh
    model = fresh_language_model(fresh, train_tokenizer(["Say bee."], vocab_size=fresh.vocab_size), seed=0)
    model.network.resize_token_embeddings(fresh.vocab_size)
    assert 1.9e6 < sum(parameter.numel() for parameter in model.network.parameters()) < 5e6


def test_a_saved_model_loads_with_the_same_weights(tmp_path: Path) -> None:
    loaded = load_language_model(saved_model(tmp_path))
    assert torch.equal(head_weights(loaded), head_weights(language_model()))


def test_a_new_reward_model_scores_everything_zero(tmp_path: Path) -> None:
    model = reward_model_from(saved_model(tmp_path), pad_id=0)
    assert model.scores(torch.randn(3, 16)).tolist() == [0.0, 0.0, 0.0]


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match=r"no config\.json"):
        load_language_model(tmp_path)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    saved_model(tmp_path)
    torch.save(language_model().network.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelInvalid, match="safetensors"):
        load_language_model(tmp_path)


def test_logits_that_are_more_than_a_head_on_hidden_states_are_refused() -> None:
    config = Gemma2Config(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        final_logit_softcapping=0.01,
    )
    network = Gemma2ForCausalLM(config).eval()
    with pytest.raises(ModelInvalid, match="its logits are not its head applied to its last hidden states"):
        check_head(LanguageModel(network), "a soft-capped model")
