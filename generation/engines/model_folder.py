"""Whether a folder holds a model that can be talked to, without loading it: no torch, safe on the web."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from generation.engines.errors import MissingChatTemplate, ModelFolderInvalid

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tekken.json",
)
_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")

CHAT_TEMPLATE_FIX = (
    "use the model's instruction-tuned variant, or fine-tune it first (SFT writes a template), "
    "or save a chat_template.jinja next to its tokenizer"
)


def looks_like_path(model: str) -> bool:
    """True for a folder on this machine, False for a hub id such as `org/name`."""
    return model.startswith(("/", ".", "~")) or Path(model).is_dir()


def check_model_folder(folder: Path) -> None:
    """Raises ModelFolderInvalid naming the missing or broken file, or MissingChatTemplate with the fix."""
    if not folder.is_dir():
        raise ModelFolderInvalid(f"there is no folder {folder}: give a folder with config.json, or a hub id")
    if "model_type" not in _read_object(folder / "config.json"):
        raise ModelFolderInvalid(f"{folder / 'config.json'} names no model_type: it is not a model's configuration")
    _check_weights(folder)
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise ModelFolderInvalid(f"{folder} has no tokenizer: tokenizer.json is missing; save the tokenizer there too")
    if not _has_chat_template(folder):
        raise MissingChatTemplate(f"the model in {folder} has no chat template: {CHAT_TEMPLATE_FIX}")


def _check_weights(folder: Path) -> None:
    if (folder / "model.safetensors").is_file():
        return
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        raise ModelFolderInvalid(f"{folder} has no weights: model.safetensors is missing (only safetensors are read)")
    shards = _read_object(index).get("weight_map", {})
    missing = sorted(name for name in set(shards.values()) if not (folder / name).is_file())
    if missing:
        raise ModelFolderInvalid(f"{folder} lacks {len(missing)} weight files of its index, such as {missing[0]}")


def _has_chat_template(folder: Path) -> bool:
    if any((folder / name).is_file() for name in _TEMPLATE_FILES):
        return True
    configuration = folder / "tokenizer_config.json"
    return configuration.is_file() and bool(_read_object(configuration).get("chat_template"))


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFolderInvalid(f"{path.parent} is not a model folder: {path.name} is missing") from None
    except (OSError, ValueError) as error:
        raise ModelFolderInvalid(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelFolderInvalid(f"{path} must hold a JSON object, it holds a {type(content).__name__}")
    return content
