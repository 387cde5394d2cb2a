"""Networks: a fresh small Llama, loading by folder or hub id, reward models and critics.

Weights are safetensors only, code from a hub is never run, and dropout stays off (`eval()`), so that
log-probabilities are functions of the weights alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from training.algorithms.adapter_files import HEAD, AdapterInvalid, adapter_folder, base_of, head_outputs, merge_folder
from training.algorithms.adapters import CRITIC, DEFAULT, Adapter, Adapters
from training.algorithms.config import FreshModelConfig, LoRAConfig
from training.algorithms.devices import CPU
from training.algorithms.failures import TrainingFailure
from training.algorithms.sharding import BACKBONE
from training.algorithms.tree_support import let_read_trees, reads_trees


class ModelInvalid(TrainingFailure):
    """A model cannot be loaded, or is not of the kind that is needed."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__("model_error", f"The model {model} cannot be used: {reason}")


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model, split where hidden states are gathered."""

    network: PreTrainedModel
    adapter: Adapter | None = None  # what it computes with, where the network holds adapters

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.network.device

    @property
    def reads_trees(self) -> bool:
        """Whether it takes rows of trees; otherwise its batches are padded."""
        return reads_trees(self.network)

    @property
    def backbone(self) -> Callable[..., Any]:
        """Token ids to hidden states, with this model's adapter switched on."""
        return backbone_of(self.network, self.adapter)

    @property
    def head(self) -> nn.Module:
        """Hidden states to logits."""
        head: nn.Module = self.network.get_output_embeddings()
        return head

    @property
    def reference(self) -> LanguageModel:
        """What training starts from: the network without its adapter, or before its first step."""
        return self if self.adapter is None else LanguageModel(self.network, self.adapter.switched_off)

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """What training changes: the adapter, or all weights."""
        return dict(self.network.named_parameters()) if self.adapter is None else self.adapter.parameters


@dataclass(frozen=True)
class RewardModel:
    """A network with a scalar head, or one for each member of an ensemble: a reward model, or the critic of PPO."""

    network: PreTrainedModel
    adapter: Adapter | None = None  # what it computes with, where the network holds adapters
    own_head: nn.Linear | None = None  # of a critic that shares the network of a policy

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.network.device

    @property
    def reads_trees(self) -> bool:
        """Whether it takes rows of trees; otherwise its batches are padded."""
        return reads_trees(self.network)

    @property
    def backbone(self) -> Callable[..., Any]:
        """Token ids to hidden states, with this model's adapter switched on."""
        return backbone_of(self.network, self.adapter)

    @property
    def head(self) -> nn.Linear:
        """Hidden states to scores."""
        return self.own_head or score_head(self.network)

    @property
    def num_members(self) -> int:
        """E, the heads of an ensemble; 1 for a plain reward model."""
        return self.head.out_features

    def member_scores(self, hidden_ND: Tensor) -> Tensor:
        """Every head on N hidden states, in fp32, shape (N, E)."""
        return nn.functional.linear(hidden_ND.float(), self.head.weight.float())

    def scores(self, hidden_ND: Tensor) -> Tensor:
        """The scalar head on N hidden states, in fp32, or the mean of an ensemble's; shape (N,)."""
        scores_NE = self.member_scores(hidden_ND)
        return scores_NE.squeeze(-1) if scores_NE.shape[-1] == 1 else scores_NE.mean(dim=-1)

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """What training changes: the adapter and the whole head, or all weights."""
        if self.adapter is None:
            return dict(self.network.named_parameters())
        return {**self.adapter.parameters, HEAD: cast(nn.Parameter, self.head.weight)}


def backbone_of(network: PreTrainedModel, adapter: Adapter | None) -> Callable[..., Any]:
    """Token ids to hidden states, also where the weights are sharded.

    An adapter stays on until another model of the same network is asked.
    """
    if adapter is not None:
        adapter.activate()
    backbone: Callable[..., Any] = getattr(network, BACKBONE, network.base_model)
    return backbone


Model = TypeVar("Model", LanguageModel, RewardModel)


def fresh_language_model(
    config: FreshModelConfig,
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    dtype: str = "float32",
    device: torch.device = CPU,
) -> LanguageModel:
    """A Llama with random weights for this tokenizer; its head is not tied to the embedding."""
    torch.manual_seed(seed)
    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_heads,
            max_position_embeddings=config.context_tokens,
            tie_word_embeddings=False,
            initializer_range=config.initial_deviation,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    let_read_trees(network.eval().to(device, getattr(torch, dtype)))
    return LanguageModel(network)


def load_language_model(
    model: str | os.PathLike[str], *, dtype: str = "float32", device: torch.device = CPU
) -> LanguageModel:
    """The causal language model of a folder or hub id. Raises `ModelInvalid`."""
    language_model = LanguageModel(load(AutoModelForCausalLM, model, dtype=dtype, device=device))
    check_head(language_model, str(model))
    return language_model


def load_reward_model(
    model: str | os.PathLike[str], *, dtype: str = "float32", device: torch.device = CPU
) -> RewardModel:
    """A folder that a reward run left, or any one-label classifier; its head is in fp32. Raises `ModelInvalid`."""
    return checked_reward_model(load(AutoModelForSequenceClassification, model, dtype=dtype, device=device), str(model))


def load_critic(model: str | os.PathLike[str], *, dtype: str = "float32", device: torch.device = CPU) -> RewardModel:
    """A reward model with one head: that of an ensemble is the mean of its heads. Raises `ModelInvalid`."""
    critic = load_reward_model(model, dtype=dtype, device=device)
    if critic.num_members > 1:
        members = score_head(critic.network)
        head = nn.Linear(members.in_features, 1, bias=False, device=device)
        head.weight.data.copy_(members.weight.data.mean(dim=0, keepdim=True))
        critic.network.score = head
        critic.network.config.num_labels = 1
        del critic.network.config.ensemble_size
    return critic


def reward_model_from(
    model: str | os.PathLike[str],
    *,
    pad_id: int,
    dtype: str = "float32",
    device: torch.device = CPU,
    num_members: int = 1,
    seed: int = 0,
) -> RewardModel:
    """A reward model on the backbone of a language model; its head is zero, so every score starts at 0.

    The heads of an ensemble start apart instead, from N(0, 1 / (D + 1)) as in Stiennon et al. (2020).
    """
    network = load(AutoModelForSequenceClassification, model, dtype=dtype, device=device, num_labels=num_members)
    network.config.pad_token_id = pad_id
    if num_members > 1:
        network.config.ensemble_size = num_members  # tells an ensemble from a classifier of so many labels
    reward_model = checked_reward_model(network, str(model))
    weight = score_head(network).weight
    if num_members == 1:
        nn.init.zeros_(weight)
    else:
        generator = torch.Generator().manual_seed(seed)
        weight.data.copy_(torch.randn(weight.shape, generator=generator) / (weight.shape[1] + 1) ** 0.5)
    return reward_model


def load(
    auto_class: Any, model: str | os.PathLike[str], *, dtype: str, device: torch.device, **settings: Any
) -> PreTrainedModel:
    """`from_pretrained` with our rules, and one error for everything that a folder can lack.

    A folder with an adapter alone is its base with the adapter merged into it.
    """
    if (folder := adapter_folder(model)) is not None:
        return load_merged(auto_class, folder, dtype=dtype, device=device, **settings)
    if os.path.isabs(model) and not Path(model, "config.json").is_file():
        raise ModelInvalid(str(model), "there is no config.json in that folder.")
    try:
        network = auto_class.from_pretrained(
            str(model), use_safetensors=True, trust_remote_code=False, dtype=getattr(torch, dtype), **settings
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelInvalid(str(model), str(error).splitlines()[0]) from error
    let_read_trees(network.eval().to(device))  # on the device: its attention is another one there
    return cast(PreTrainedModel, network)


def load_merged(auto_class: Any, folder: Path, *, dtype: str, device: torch.device, **settings: Any) -> PreTrainedModel:
    """The base of an adapter's folder with the adapter, and a head stored with it, merged. Raises `ModelInvalid`."""
    try:
        num_outputs = head_outputs(folder)
        if num_outputs is not None:
            settings["num_labels"] = num_outputs
        network = load(auto_class, base_of(folder), dtype=dtype, device=device, **settings)
        if num_outputs is not None and num_outputs > 1:
            network.config.ensemble_size = num_outputs
        merge_folder(network, folder)
    except AdapterInvalid as error:
        raise ModelInvalid(str(folder), str(error)) from error
    return network


def with_adapter(model: Model, config: LoRAConfig | None, *, base: str, seed: int) -> Model:
    """The model with its network frozen and a fresh adapter to train in its place; without a config, the model."""
    if config is None:
        return model
    adapter = Adapters(network=model.network, base=base).add(DEFAULT, config, seed=seed)
    trained = replace(model, adapter=adapter)
    if isinstance(trained, RewardModel):
        trained.head.weight.requires_grad_()
    return trained


def critic_beside(policy: LanguageModel, *, seed: int) -> RewardModel:
    """A critic in the policy's own network: a second adapter and a scalar head, which is zero at first."""
    if policy.adapter is None:
        raise ValueError("A critic shares a network with a policy that is an adapter; this one is the network itself.")
    adapter = policy.adapter.adapters.add(CRITIC, policy.adapter.config, seed=seed)
    hidden_size = policy.network.config.get_text_config().hidden_size
    head = nn.Linear(hidden_size, 1, bias=False, device=policy.network.device)  # fp32, as every score
    nn.init.zeros_(head.weight)
    return RewardModel(policy.network, adapter=adapter, own_head=head)


def checked_reward_model(network: PreTrainedModel, model: str) -> RewardModel:
    """Raise `ModelInvalid` unless the network has our reward head: linear, one output a member, no bias."""
    score = getattr(network, "score", None)
    num_members = getattr(network.config, "ensemble_size", 1)
    if not isinstance(score, nn.Linear) or score.out_features != num_members or score.bias is not None:
        wanted = "one output" if num_members == 1 else f"ensemble_size = {num_members} outputs"
        raise ModelInvalid(model, f"a reward model needs a linear head `score` with {wanted} and no bias.")
    score.float()  # a score is the difference of large numbers: its head and its loss stay in fp32
    return RewardModel(network)


def score_head(network: PreTrainedModel) -> nn.Linear:
    """The head of a network that `checked_reward_model` has seen, an output for each member."""
    return cast(nn.Linear, network.score)


@torch.no_grad()
def check_head(model: LanguageModel, name: str) -> None:
    """Raise `ModelInvalid` if logits are more than head(hidden), as with soft-capped logits."""
    ids_1T = torch.arange(3, 7, device=model.device).unsqueeze(0)
    expected_1TV = model.network(input_ids=ids_1T).logits
    hidden_1TD = model.backbone(input_ids=ids_1T).last_hidden_state
    if not torch.allclose(model.head(hidden_1TD), expected_1TV, atol=1e-4):
        raise ModelInvalid(name, "its logits are not its head applied to its last hidden states.")
