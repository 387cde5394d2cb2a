"""Low-rank adapters (LoRA): a frozen network with a pair of small trained matrices beside each linear layer.

A layer with frozen weight W computes W x + (alpha / rank) B A x; A starts random and B zero, so that a fresh adapter
changes nothing (Hu et al. 2021, equation 3). The layers are peft's, put into the network itself, without a wrapper
around it: names, attention and hidden states are those of the network. A network can hold several adapters, of which
one is active at a time, or none: then it is the frozen network again.
"""

from __future__ import annotations

import difflib
import warnings
from dataclasses import dataclass, field
from typing import Final

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from training.algorithms.config import ALL_LINEAR, InvalidConfiguration, LoRAConfig

DEFAULT: Final = "default"  # the name of a network's one adapter, or of the policy's beside a critic's
CRITIC: Final = "critic"


@dataclass(kw_only=True)
class Adapters:
    """All adapters of one network, and which of them is active."""

    network: PreTrainedModel
    base: str  # folder or hub id that the network was loaded from
    configs: dict[str, LoRAConfig] = field(default_factory=dict)  # by the adapter's name
    parameters: dict[str, dict[str, nn.Parameter]] = field(default_factory=dict)  # by adapter, by name in the network
    layers: list[LoraLayer] = field(default_factory=list)
    active: tuple[str | None, bool] = (None, False)  # its name, and whether dropout is on

    def add(self, name: str, config: LoRAConfig, *, seed: int) -> Adapter:
        """A fresh adapter, random from `seed` alone. The network's own weights are frozen by it.

        Raises `InvalidConfiguration` for target modules that the network does not have.
        """
        targets = target_modules(self.network, config.target_modules)
        lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=targets)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")  # a second adapter is meant
            warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")  # transposed layers, which peft sees
            torch.manual_seed(seed)
            inject_adapter_in_model(lora, self.network, adapter_name=name)
        self.network.requires_grad_(False).eval()
        self.configs[name] = config
        self.parameters[name] = adapter_parameters(self.network, name)
        self.layers = [module for module in self.network.modules() if isinstance(module, LoraLayer)]
        self._switch(name, has_dropout=False)
        return Adapter(adapters=self, name=name)

    def activate(self, name: str | None) -> None:
        """Let the network compute with this adapter, or with none. Dropout is on where a gradient is wanted."""
        rate = self.configs[name].dropout if name is not None else 0.0
        has_dropout = rate > 0 and torch.is_grad_enabled()
        if (name, has_dropout) != self.active:
            self._switch(name, has_dropout=has_dropout)

    def _switch(self, name: str | None, *, has_dropout: bool) -> None:
        for layer in self.layers:
            if name is not None:
                layer.set_adapter(name)
                layer.lora_dropout[name].train(has_dropout)
            layer.enable_adapters(name is not None)
        for parameters in self.parameters.values():  # peft freezes what is not active; here every adapter is trained
            for parameter in parameters.values():
                parameter.requires_grad_()
        self.active = (name, has_dropout)


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One adapter of a network; without a name, the network with all adapters switched off."""

    adapters: Adapters
    name: str | None

    def activate(self) -> None:
        """Let the network compute with it."""
        self.adapters.activate(self.name)

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Its matrices, under their names in the network less that of the adapter."""
        return self.adapters.parameters[self.name] if self.name is not None else {}

    @property
    def config(self) -> LoRAConfig:
        """How it was made."""
        if self.name is None:
            raise LookupError("The network without adapters has no settings of one.")
        return self.adapters.configs[self.name]

    @property
    def switched_off(self) -> Adapter:
        """The frozen network under it."""
        return Adapter(adapters=self.adapters, name=None)


def adapter_parameters(network: nn.Module, name: str) -> dict[str, nn.Parameter]:
    """The matrices of an adapter that is in a network: `…q_proj.lora_A.weight` and the like."""
    marks = (f".lora_A.{name}.", f".lora_B.{name}.")
    return {
        key.replace(f".{name}.", "."): parameter
        for key, parameter in network.named_parameters()
        if any(mark in key for mark in marks)
    }


def target_modules(network: PreTrainedModel, wanted: str) -> list[str]:
    """The last names of the linear layers that get adapters: those named, or all of the backbone.

    Raises `InvalidConfiguration` for a name that no linear layer of the backbone has; heads are no part of it.
    """
    known = sorted({name.rsplit(".", 1)[-1] for name in linear_names(network.base_model)})
    if wanted == ALL_LINEAR:
        return known
    names = sorted({name.strip() for name in wanted.split(",")})
    for name in names:
        if name not in known:
            closest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            advice = f"It has {', '.join(known)}; did you mean {closest[0]}?" if closest else "It has none at all."
            raise InvalidConfiguration(
                f"lora.target_modules names {name!r}, which is no linear layer under the model's heads. {advice}"
            )
    return names


def linear_names(backbone: nn.Module) -> list[str]:
    """Full names of its linear layers; those with an adapter count once."""
    return [
        name
        for name, module in backbone.named_modules()
        if isinstance(module, (nn.Linear, Conv1D, LoraLayer)) and ".lora_" not in name and "base_layer" not in name
    ]
