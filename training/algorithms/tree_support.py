"""Whether a network can read rows of trees: tried on the network itself when it is loaded."""

from __future__ import annotations

import warnings
from typing import Any, Final

import torch
from torch import Tensor
from transformers import PreTrainedModel

from training.algorithms.layouts import Layout, padded_layout, tree_layout
from training.algorithms.tokenisation import TokenTree
from training.algorithms.tree_attention import SHORT_TREE, TREE_ATTENTION

TOLERANCES: Final = {torch.float32: 1e-4, torch.bfloat16: 0.05, torch.float16: 0.01}  # of the largest hidden state


class PaddedInstead(UserWarning):
    """Rows of trees do not work with a network: batches are padded, which is right but slower."""


class TreesUnsupported(Exception):
    """Why a network cannot read rows of trees."""


def reads_trees(network: PreTrainedModel) -> bool:
    """Whether `let_read_trees` found that it can."""
    return bool(network.config._attn_implementation == TREE_ATTENTION)


def let_read_trees(network: PreTrainedModel) -> None:
    """Switch a network to rows of trees if two small ones give what padding gives; otherwise warn and leave it."""
    before = network.config._attn_implementation
    try:
        check_windows(network)
        network.set_attn_implementation(TREE_ATTENTION)
        compare_layouts(network)
    except (TreesUnsupported, ImportError, ValueError, TypeError, KeyError, RuntimeError, NotImplementedError) as error:
        network.set_attn_implementation(before)
        name = type(network).__name__
        warnings.warn(PaddedInstead(f"{name} cannot read rows of trees, batches are padded: {error}"), stacklevel=2)


def check_windows(network: PreTrainedModel) -> None:
    """Raise `TreesUnsupported` if a layer looks back less far than the model's positions reach."""
    config = network.config.get_text_config()
    window: int | None = getattr(config, "sliding_window", None)
    reach: int | None = getattr(config, "max_position_embeddings", None)
    if window is None or not getattr(config, "use_sliding_window", True):
        return
    if reach is None or window < reach:
        raise TreesUnsupported(f"its attention has a sliding window of {window} tokens.")


@torch.no_grad()
def compare_layouts(network: PreTrainedModel) -> None:
    """Raise `TreesUnsupported` unless two trees have the hidden states of padding, by stretch and by table."""
    trees = probes(network.config.get_text_config().vocab_size)
    dtype, device = network.dtype, network.device
    padded_ND = hidden_before(network, padded_layout(trees, pad_id=0, device=device))
    for short_tree in (0, SHORT_TREE):
        tree_ND = hidden_before(network, tree_layout(trees, dtype=dtype, device=device, short_tree=short_tree))
        error = ((tree_ND - padded_ND).abs().max() / padded_ND.abs().max()).item()
        if not error <= TOLERANCES[dtype]:
            raise TreesUnsupported(f"its hidden states differ by {error:.1e} of their size between the layouts.")
    if device.type == "cuda":  # its attention has a backward pass of its own
        check_gradient(network, tree_layout(trees, dtype=dtype, device=device))


@torch.enable_grad()
def check_gradient(network: PreTrainedModel, layout: Layout) -> None:
    """Raise `TreesUnsupported` unless the gradient of a row of trees can be computed and is finite."""
    embedding: Any = network.get_input_embeddings()
    embeds_1TD = embedding(layout.input_ids_RT).detach().requires_grad_()
    output = network.base_model(inputs_embeds=embeds_1TD, use_cache=False, **layout.inputs)
    (gradient_1TD,) = torch.autograd.grad(output.last_hidden_state.float().square().sum(), embeds_1TD)
    if not gradient_1TD.isfinite().all():
        raise TreesUnsupported("the gradient of its hidden states is not finite.")


def hidden_before(network: PreTrainedModel, layout: Layout) -> Tensor:
    """Hidden states from which the completion tokens are predicted, fp32, shape (N, D)."""
    hidden_RTD = network.base_model(input_ids=layout.input_ids_RT, use_cache=False, **layout.inputs).last_hidden_state
    hidden_ND: Tensor = hidden_RTD.flatten(0, 1)[layout.before_N]
    return hidden_ND.float()


def probes(vocab_size: int) -> list[TokenTree]:
    """Two trees of made-up tokens, three and two completions of different lengths."""
    lengths = [(9, (4, 7, 2)), (5, (3, 11))]
    tokens = iter(range(3, 1_000))

    def take(number: int) -> tuple[int, ...]:
        return tuple(7 * next(tokens) % vocab_size for _ in range(number))

    return [TokenTree(prompt=take(prompt), completions=tuple(map(take, branches))) for prompt, branches in lengths]
