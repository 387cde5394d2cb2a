"""Adapters on disk, in peft's format, and merged into the weights that they belong to.

An adapter's folder names its base and does not contain it. A head that was trained beside the adapter lies in the same
file, as peft's `modules_to_save` has it, so that neither loading nor merging loses it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch
from peft import LoraConfig, TaskType
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from training.algorithms.adapters import Adapter, target_modules

FOLDER: Final = "adapter"  # of a checkpoint
WEIGHTS: Final = "adapter_model.safetensors"
CONFIG: Final = "adapter_config.json"
PREFIX: Final = "base_model.model."  # stands before every name in peft's files
HEAD: Final = "score.weight"


class AdapterInvalid(Exception):
    """An adapter's folder cannot be read, or asks for what is not done here."""


def adapter_folder(model: str | os.PathLike[str]) -> Path | None:
    """Where the adapter lies, if `model` is a folder that has one in place of a whole model."""
    folder = Path(model)
    if (folder / "config.json").is_file():
        return None
    return next((place for place in (folder, folder / FOLDER) if (place / CONFIG).is_file()), None)


def write_adapter(adapter: Adapter, folder: Path, *, head: nn.Linear | None) -> None:
    """The adapter's matrices and the head that was trained with it, if any, as any tool for peft reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    config, network = adapter.config, adapter.adapters.network
    LoraConfig(
        task_type=TaskType.CAUSAL_LM if head is None else TaskType.SEQ_CLS,
        base_model_name_or_path=adapter.adapters.base,
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=target_modules(network, config.target_modules),
        modules_to_save=None if head is None else ["score"],
        inference_mode=True,
    ).save_pretrained(str(folder))
    save_file(named_for_peft(trained_tensors(adapter, head)), folder / WEIGHTS)


def read_adapter(adapter: Adapter, folder: Path, *, head: nn.Linear | None) -> None:
    """The inverse of `write_adapter`, into an adapter of the same shape. Raises `AdapterInvalid` for another."""
    tensors, own = stored_tensors(folder), trained_tensors(adapter, head)
    shapes, expected = ({name: tuple(t.shape) for name, t in each.items()} for each in (tensors, own))
    if shapes != expected:
        raise AdapterInvalid(
            f"{folder} holds another adapter: {sorted(set(shapes.items()) ^ set(expected.items()))[:2]}"
        )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def trained_tensors(adapter: Adapter, head: nn.Linear | None) -> dict[str, Tensor]:
    """What training changes, under the names of the network."""
    tensors: dict[str, Tensor] = {name: parameter.detach() for name, parameter in adapter.parameters.items()}
    return tensors if head is None else {**tensors, HEAD: head.weight.detach()}


def named_for_peft(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the names of peft's files."""
    return {PREFIX + name: tensor.contiguous() for name, tensor in tensors.items()}


def stored_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of an adapter's folder, under the names of the network. Raises `AdapterInvalid`."""
    try:
        return {name.removeprefix(PREFIX): tensor for name, tensor in load_file(folder / WEIGHTS).items()}
    except (OSError, SafetensorError) as error:
        raise AdapterInvalid(f"{folder / WEIGHTS} cannot be read: {error}") from error


def stored_config(folder: Path) -> dict[str, Any]:
    """The settings of an adapter's folder. Raises `AdapterInvalid` for what is more than plain LoRA."""
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterInvalid(f"{folder / CONFIG} cannot be read: {error}") from error
    if config.get("peft_type") != "LORA" or not config.get("base_model_name_or_path"):
        raise AdapterInvalid(f"{folder / CONFIG} is not that of a LoRA adapter that names its base model.")
    strange = [name for name in ("use_dora", "rank_pattern", "alpha_pattern", "lora_bias") if config.get(name)]
    if strange:
        raise AdapterInvalid(f"{folder} uses {', '.join(strange)}; merge it with the tool that made it.")
    return config


def base_of(folder: Path) -> str:
    """The folder or hub id of the model that an adapter belongs to. Raises `AdapterInvalid`."""
    return str(stored_config(folder)["base_model_name_or_path"])


def head_outputs(folder: Path) -> int | None:
    """How many outputs the head has that is stored with an adapter; None without one. Raises `AdapterInvalid`."""
    head = stored_tensors(folder).get(HEAD)
    return None if head is None else len(head)


def scale(config: Mapping[str, Any]) -> float:
    """What B A is multiplied by, of an adapter's stored settings."""
    rank = float(config["r"])
    return float(config["lora_alpha"]) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def merge_folder(network: PreTrainedModel, folder: Path) -> None:
    """Add a stored adapter, and the head stored with it, to the weights of its base. Raises `AdapterInvalid`."""
    config, tensors = stored_config(folder), stored_tensors(folder)
    weights = dict(network.named_parameters())
    unknown = set(tensors) - {HEAD} - {name for name in tensors if layer_of(name) + ".weight" in weights}
    if unknown:
        raise AdapterInvalid(f"{folder} adapts {layer_of(min(unknown))}, which its base does not have.")
    with torch.no_grad():
        for name, added in additions(network, tensors, scale(config)):
            weights[name].copy_(weights[name].float() + added.to(weights[name].device))
        if HEAD in tensors and HEAD in weights:
            head = cast(nn.Linear, network.get_submodule("score")).float()  # in fp32 as it was trained
            head.weight.copy_(tensors[HEAD])


def merged_weights(adapter: Adapter) -> dict[str, Tensor]:
    """A network's weights with an adapter added, under the names that it had before adapters were put into it."""
    network = adapter.adapters.network
    weights = base_weights(network)
    factor = adapter.config.alpha / adapter.config.rank
    for name, added in additions(network, trained_tensors(adapter, None), factor):
        weights[name] = (weights[name].float() + added).to(weights[name].dtype)
    return weights


def base_weights(network: nn.Module) -> dict[str, Tensor]:
    """A network's own weights without those of adapters, under the names that it had before they were put into it."""
    return {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in network.state_dict().items()
        if ".lora_A." not in name and ".lora_B." not in name
    }


def additions(network: nn.Module, tensors: Mapping[str, Tensor], factor: float) -> Iterator[tuple[str, Tensor]]:
    """For each adapted layer the name of its weight, and what is added to it, in fp32."""
    for name, down_RD in tensors.items():
        if ".lora_A." in name:
            layer = network.get_submodule(layer_of(name))
            up_ER = tensors[name.replace(".lora_A.", ".lora_B.")]
            added_ED = factor * (up_ER.float() @ down_RD.float())
            linear = layer.get_base_layer() if isinstance(layer, LoraLayer) else layer
            yield layer_of(name) + ".weight", added_ED.T if isinstance(linear, Conv1D) else added_ED


def layer_of(name: str) -> str:
    """The linear layer that a matrix of an adapter belongs to."""
    return name.split(".lora_")[0]
