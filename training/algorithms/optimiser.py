"""AdamW in fp32 whatever the weights' precision, its learning-rate schedule and the clipped step."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from training.algorithms.failures import TrainingFailure
from training.algorithms.sharding import local, part_of, total_norm, whole


class AdamW(torch.optim.AdamW):
    """AdamW that keeps an fp32 master of every weight in half precision: a small step would be rounded away there.

    A weight's gradient is added to its master's in fp32 as soon as it is complete, and dropped, so that accumulating
    over micro-batches loses nothing. fp32 weights are their own masters.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], **settings: Any) -> None:
        self.masters: dict[Tensor, Tensor] = {}
        super().__init__(
            [{**group, "params": [self._master(p) for p in group["params"]]} for group in groups], **settings
        )

    def _master(self, parameter: nn.Parameter) -> Tensor:
        """The fp32 tensor that stands for a weight here, or for this process's part of it."""
        if parameter.dtype == torch.float32 and not isinstance(parameter, DTensor):
            return parameter
        master = local(parameter.detach()).float().requires_grad_()
        self.masters[parameter] = master
        parameter.register_post_accumulate_grad_hook(partial(hand_over, master))
        return master

    @property
    def parameters(self) -> list[Tensor]:
        """What is optimised, in fp32, in the order of the state."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """A step of the masters, copied to the weights."""
        result = super().step(closure)
        self.copy_to_weights()
        return result

    @torch.no_grad()
    def copy_to_weights(self) -> None:
        """Round the masters to the weights."""
        for parameter, master in self.masters.items():
            if parameter.dtype != master.dtype:  # else it is the weight itself
                local(parameter).copy_(master)

    def tensors(self) -> dict[str, Tensor]:
        """State and masters as named tensors, `{parameter number}.{name}`. All processes have to ask at once."""
        state = self.state_dict()["state"]
        found = {f"{index}.{name}": tensor for index, slots in state.items() for name, tensor in slots.items()}
        own = {id(master) for weight, master in self.masters.items() if weight.dtype != master.dtype}
        found |= {f"{i}.master": p.detach() for i, p in enumerate(self.parameters) if id(p) in own}
        return {key: whole(tensor, self._weight(key)) for key, tensor in found.items()}

    def _weight(self, key: str) -> Tensor:
        """What the tensor of this name is sharded like: the weight, or for a count of steps nothing."""
        index, name = key.split(".", 1)
        parameter = self.parameters[int(index)]
        weights = {id(master): weight for weight, master in self.masters.items()}
        return torch.empty(0) if name == "step" else weights.get(id(parameter), parameter)

    @property
    def sharded(self) -> list[Tensor]:
        """Those parameters of which this process has a part, and other processes the others."""
        return [master for weight, master in self.masters.items() if isinstance(weight, DTensor)]

    @property
    def replicated(self) -> list[Tensor]:
        """Those of which every process has a copy."""
        parts = {id(part) for part in self.sharded}
        return [parameter for parameter in self.parameters if id(parameter) not in parts]

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `tensors`."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, saved in tensors.items():
            index, name = key.split(".", 1)
            tensor = part_of(saved, self._weight(key))
            if name == "master":
                self.parameters[int(index)].copy_(tensor)
            else:
                state.setdefault(int(index), {})[name] = tensor
        self.load_state_dict({"state": state, "param_groups": self.state_dict()["param_groups"]})
        self.copy_to_weights()


def hand_over(master: Tensor, parameter: Tensor) -> None:
    """Add a weight's gradient to its master's, and drop it."""
    gradient, parameter.grad = parameter.grad, None
    if gradient is not None:
        part = local(gradient)
        master.grad = part.float() if master.grad is None else master.grad.add_(part)


def adamw(trained: Iterable[nn.Parameter], *, learning_rate: float, weight_decay: float) -> AdamW:
    """AdamW with decay on matrices only, betas (0.9, 0.99); frozen parameters are left out."""
    parameters = [parameter for parameter in trained if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), fused=True)


def gradients(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Those that there are."""
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def scheduled_rate(step: int, *, peak: float, num_steps: int, warmup_steps: int, final: float) -> float:
    """Learning rate of step 0, 1, …: linear rise over `warmup_steps`, then linear decay to `final` × peak."""
    warmup_steps = min(warmup_steps, num_steps // 2)
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    progress = (step - warmup_steps) / max(1, num_steps - 1 - warmup_steps)
    return peak * (1 - (1 - final) * min(1.0, progress))


def clipped_step(optimiser: AdamW, *, learning_rate: float, max_grad_norm: float) -> Tensor:
    """One optimiser step at `learning_rate`; returns the gradient's L2 norm before clipping.

    Raises `TrainingFailure` of kind not_a_number, with the weights untouched, if the gradient is not finite.
    """
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    norm = total_norm(gradients(optimiser.replicated), sharded=gradients(optimiser.sharded))
    nn.utils.clip_grads_with_norm_(optimiser.parameters, max_grad_norm, norm)
    if not torch.isfinite(norm):
        advice = "Lower learning_rate, or resume from the last checkpoint with other data."
        raise TrainingFailure("not_a_number", f"The gradient's norm is {norm.item()}. {advice}")
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return norm
