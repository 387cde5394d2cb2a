"""A model's trained weights in a checkpoint: whole, or as an adapter that is merged once, at the end of a run."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from training.algorithms import adapter_files
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.sharding import cut_weights


def save_weights(
    model: LanguageModel | RewardModel, folder: Path, *, is_final: bool, gathered: dict[str, Tensor] | None = None
) -> None:
    """What training has changed. Of an adapter the frozen base is left out, except at the end of a run.

    Then the folder is a whole model as well, with the adapter merged, for everything that reads models. `gathered`
    are the weights of a network of which this process has a part.
    """
    if model.adapter is None:
        model.network.save_pretrained(folder, state_dict=gathered)
        return
    adapter_files.write_adapter(model.adapter, folder / adapter_files.FOLDER, head=trained_head(model))
    if is_final:
        model.network.save_pretrained(folder, state_dict=adapter_files.merged_weights(model.adapter))


def load_weights(model: LanguageModel | RewardModel, folder: Path) -> None:
    """Copy the weights of a checkpoint's folder into a model of the same shape."""
    if model.adapter is not None:
        adapter_files.read_adapter(model.adapter, folder / adapter_files.FOLDER, head=trained_head(model))
        return
    weights = cut_weights(model.network, load_file(folder / "model.safetensors"))
    missing, unexpected = model.network.load_state_dict(weights, strict=False)
    tied = getattr(model.network, "_tied_weights_keys", None) or ()
    if unexpected or set(missing) - set(tied):
        raise RuntimeError(f"{folder} holds other weights than the network: {missing}, {unexpected}")


def trained_head(model: LanguageModel | RewardModel) -> nn.Linear | None:
    """The scalar head, which is trained in full beside an adapter; that of a language model stays frozen."""
    return model.head if isinstance(model, RewardModel) else None
