from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from generation.engines.errors import EngineError, MissingChatTemplate, ModelFolderInvalid
from generation.engines.model_folder import check_model_folder, looks_like_path
from tests.generation.engines.tiny_model import save


@pytest.fixture
def folder(tmp_path: Path, model: Any, tokenizer: Any) -> Path:
    save(tmp_path / "model", model, tokenizer)
    return tmp_path / "model"


def remove_chat_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    configuration = folder / "tokenizer_config.json"
    content = json.loads(configuration.read_text())
    content.pop("chat_template", None)
    configuration.write_text(json.dumps(content))


def test_a_saved_model_is_fine(folder: Path) -> None:
    check_model_folder(folder)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "config.json is missing"),
        ("model.safetensors", "model.safetensors is missing"),
        ("tokenizer.json", "has no tokenizer"),
    ],
)
def test_a_missing_file_is_named(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelFolderInvalid, match=message):
        check_model_folder(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderInvalid, match=r"there is no folder .*nowhere"):
        check_model_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "message"), [("{half", "cannot be read as JSON"), ("[]", "holds a list"), ("{}", "names no model_type")]
)
def test_a_broken_configuration_is_named(folder: Path, content: str, message: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelFolderInvalid, match=message):
        check_model_folder(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model-00001-of-00002.safetensors").touch()
    with pytest.raises(ModelFolderInvalid, match="lacks 1 weight files of its index, such as model-00002"):
        check_model_folder(folder)
    (folder / "model-00002-of-00002.safetensors").touch()
    check_model_folder(folder)


def test_a_model_without_chat_template_is_refused_with_the_fix(folder: Path) -> None:
    remove_chat_template(folder)
    with pytest.raises(MissingChatTemplate, match=r"no chat template: use the model's instruction-tuned variant"):
        check_model_folder(folder)


def test_a_chat_template_may_stand_in_the_tokenizer_configuration(folder: Path) -> None:
    remove_chat_template(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    check_model_folder(folder)


def test_every_refusal_is_an_engine_error(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(EngineError):
        check_model_folder(folder)


@pytest.mark.parametrize(
    ("model", "is_path"), [("/srv/model", True), ("./model", True), ("~/model", True), ("org/name", False)]
)
def test_paths_are_told_from_hub_ids(model: str, is_path: bool) -> None:
    assert looks_like_path(model) is is_path
