"""What is done to a network before it is trained, and changes no loss: compiled, made to forget, shared out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedModel

from training.algorithms.config import CommonConfig
from training.algorithms.recompute import compute_layers_again, has_to_forget
from training.algorithms.sharding import layers, shard
from training.algorithms.team import Team


def prepare(
    network: PreTrainedModel, config: CommonConfig, *, num_tokens: int, team: Team, report: Callable[[str], None]
) -> None:
    """As the configuration asks; `num_tokens` is what the largest micro-batch computes."""
    is_shared = config.sharding == "fsdp2" and team.size > 1
    num_parts = team.size if is_shared else 1
    if config.torch_compile:
        compile_layers(network)
    if team.does_any(has_to_forget(network, config, num_tokens=num_tokens, num_parts=num_parts)):
        compute_layers_again(network)
        report("Layers are computed again for the gradient (activation_checkpointing): it saves memory and costs time.")
    if is_shared:
        shard(network, num_processes=team.size)


def largest_pass(sizes: Sequence[int], config: CommonConfig) -> int:
    """Tokens of the largest micro-batch: what is configured, unless no batch has as many, or one example has more."""
    batch = sum(sorted(sizes)[-config.batch_size :])
    return max(max(sizes, default=0), min(config.micro_batch_tokens, batch))


def compile_layers(network: PreTrainedModel) -> None:
    """Compile every layer for batches of any size; attention over rows of trees stays as it is."""
    for layer in layers(network):
        setattr(layer, "forward", torch.compile(layer.forward, dynamic=True))  # noqa: B010 -- a method is replaced
