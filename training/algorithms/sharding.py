"""FSDP2: every process keeps its part of the weights, gradients and optimiser state, and gathers a layer to compute it.

All processes have to gather at the same time, so all of them make the same passes: one that has no examples left makes
another one's, for nothing. Checkpoints hold whole tensors, and know nothing of it.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

BACKBONE: Final = "gathered_backbone"  # of a sharded network: its backbone, with the weights outside the layers at hand


def shard(network: PreTrainedModel, *, num_processes: int) -> None:
    """Leave this process its part of the network's weights. Weights of another precision (a reward head) stay whole."""
    mesh = init_device_mesh(network.device.type, (num_processes,))
    settings: dict[str, Any] = {
        "mesh": mesh,
        "mp_policy": MixedPrecisionPolicy(reduce_dtype=torch.float32),
        "ignored_params": {parameter for parameter in network.parameters() if parameter.dtype != network.dtype},
    }
    for layer in layers(network):
        fully_shard(layer, **settings)
    fully_shard(network, **settings)
    for module in network.modules():
        if isinstance(module, FSDPModule):  # losses are divided by the count of the whole batch: gradients are summed
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    setattr(network, BACKBONE, types.MethodType(run_backbone, network))
    register_fsdp_forward_method(network, BACKBONE)


def run_backbone(network: PreTrainedModel, **inputs: Any) -> Any:
    """What calling the backbone gives."""
    return network.base_model(**inputs)


def layers(network: nn.Module) -> Iterator[nn.Module]:
    """The layers of a transformer that can be gathered, or computed again, one by one."""
    return (module for module in network.modules() if isinstance(module, GradientCheckpointingLayer))


def is_sharded(network: nn.Module) -> bool:
    """Whether `shard` has been here."""
    return isinstance(network, FSDPModule)


def local(tensor: Tensor) -> Tensor:
    """This process's part of a tensor; all of it if it is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(part: Tensor, like: Tensor) -> Tensor:
    """All processes' parts of what is sharded as `like` is, put together on the host. All have to ask at once."""
    if not isinstance(like, DTensor):
        return part
    shared = DTensor.from_local(part, like.device_mesh, like.placements, shape=like.shape, stride=like.stride())
    return shared.full_tensor().cpu()


def part_of(tensor: Tensor, like: Tensor) -> Tensor:
    """The inverse of `whole`, on the device of `like`."""
    return local(distributed_as(tensor, like)) if isinstance(like, DTensor) else tensor


def whole_weights(network: PreTrainedModel) -> dict[str, Tensor] | None:
    """The weights of a sharded network; None of one that is whole. All processes have to ask at once."""
    if not is_sharded(network):
        return None
    gathered: dict[int, Tensor] = {}  # tied weights once
    weights = network.state_dict(keep_vars=True)
    for weight in weights.values():
        if id(weight) not in gathered:
            gathered[id(weight)] = whole(local(weight.detach()), weight)
    return {name: gathered[id(weight)] for name, weight in weights.items()}


@torch.no_grad()
def cut_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole weights as `load_state_dict` of a network wants them, which may be sharded."""
    if not is_sharded(network):
        return dict(weights)
    own = network.state_dict(keep_vars=True)
    cut: dict[str, Tensor] = {}
    for name, weight in weights.items():
        like = own.get(name)
        cut[name] = distributed_as(weight, like) if isinstance(like, DTensor) else weight
    return cut


def distributed_as(tensor: Tensor, like: DTensor) -> Tensor:
    """A whole tensor of which every process has a copy, sharded as `like` is."""
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def total_norm(gradients: Sequence[Tensor], *, sharded: Sequence[Tensor]) -> Tensor:
    """L2 norm over whole gradients and over all processes' parts of sharded ones, a scalar."""
    if not sharded:
        return nn.utils.get_total_norm(gradients)
    squares = nn.utils.get_total_norm(sharded).square()
    distributed.all_reduce(squares)
    return (squares + nn.utils.get_total_norm(gradients).square()).sqrt() if gradients else squares.sqrt()
