"""Activation checkpointing: a layer keeps its input alone, and is computed again in the backward pass.

It costs a third more arithmetic and saves most of the memory that grows with the tokens of a micro-batch. Chen et al.
(2016). Random states are put back for it, so that an adapter's dropout is the same again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import torch
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from training.algorithms.config import CommonConfig
from training.algorithms.devices import free_memory
from training.algorithms.sharding import layers

SPARED: Final = 0.2  # of the free memory: for logits and for what an estimate misses
TRAINED_BYTES: Final = {4: 12, 2: 16}  # of a weight of so many: its gradient and AdamW's two in fp32, and a master
LAYER_WIDTHS: Final = 18  # times hidden_size: what a layer keeps of a token for its gradient, some of it in fp32
FEED_FORWARD_WIDTHS: Final = 4  # times intermediate_size


def compute_layers_again(network: PreTrainedModel) -> None:
    """Let every layer of the network forget what it can compute again."""
    for layer in layers(network):
        setattr(layer, "forward", partial(forgetful, layer.forward))  # noqa: B010 -- a method is replaced


def forgetful(forward: Callable[..., Any], *args: Any, **inputs: Any) -> Any:
    """A layer's forward pass; where a gradient is wanted, without its activations."""
    if not torch.is_grad_enabled():
        return forward(*args, **inputs)
    return checkpoint(forward, *args, use_reentrant=False, **inputs)


def has_to_forget(network: PreTrainedModel, config: CommonConfig, *, num_tokens: int, num_parts: int = 1) -> bool:
    """Whether the configuration says so, or leaves it open and the estimate says that memory is short.

    `num_tokens` is what the largest micro-batch computes, `num_parts` over how many processes weights are shared out.
    """
    if config.activation_checkpointing != "auto":
        return config.activation_checkpointing == "on"
    num_trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    wanted = num_tokens * kept_bytes(network) + num_trained / num_parts * TRAINED_BYTES[network.dtype.itemsize]
    return wanted > (1 - SPARED) * free_memory(network.device)


def kept_bytes(network: PreTrainedModel) -> int:
    """What all layers keep of a token for its gradient."""
    sizes = network.config.get_text_config()
    widths = LAYER_WIDTHS * sizes.hidden_size + FEED_FORWARD_WIDTHS * getattr(
        sizes, "intermediate_size", 4 * sizes.hidden_size
    )
    return int(sizes.num_hidden_layers * widths * network.dtype.itemsize)
