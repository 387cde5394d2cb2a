"""Exported checkpoints: loaded by transformers, without the optimiser, streamed."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from tests.factory import Factory
from tests.generation.engines.tiny_model import build_model, build_tokenizer, save
from training import model_export
from training.algorithms.checkpoints import write_checkpoint
from training.model_export import ExportRefused
from training.models import Checkpoint


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama whose template ends replies with its stop token."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = build_tokenizer(["What is 1 plus 1?", "2"])
    save(folder, build_model(tokenizer), tokenizer)
    return folder


@pytest.fixture
def checkpoint(factory: Factory, settings: LazySettings, tmp_path: Path, model_folder: Path) -> Checkpoint:
    """A sealed checkpoint with an optimiser, of a published DPO run."""
    settings.RUNS_DIR = tmp_path / "runs"
    run = factory.training_run("DPO | *run*", algorithm="dpo")
    found: Checkpoint = run.checkpoints.get()

    def write(folder: Path) -> None:
        for path in model_folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / "trainer").mkdir()
        (folder / "trainer" / "optimizer.safetensors").write_bytes(b"moments")

    write_checkpoint(found.folder.parent, step=found.step, write=write)
    return found


def unpacked(checkpoint: Checkpoint, folder: Path, form: str = "model") -> Path:
    """The folder that the archive holds."""
    pieces = model_export.archive(model_export.export_files(checkpoint, form), "exported")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "exported"


def test_transformers_loads_the_archive_and_says_the_same(
    checkpoint: Checkpoint, model_folder: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = unpacked(checkpoint, tmp_path)

    tokenizer = AutoTokenizer.from_pretrained(folder)
    exported, original = (AutoModelForCausalLM.from_pretrained(path) for path in (folder, model_folder))
    messages = [{"role": "user", "content": "What is 1 plus 1?"}]
    ids = torch.tensor([tokenizer.encode(tokenizer.apply_chat_template(messages, tokenize=False))])
    with torch.no_grad():
        assert torch.equal(exported(ids).logits, original(ids).logits)
    assert exported.generation_config.eos_token_id == tokenizer.eos_token_id


def test_neither_the_optimiser_nor_the_manifest_leaves(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = unpacked(checkpoint, tmp_path)

    names = {path.name for path in folder.rglob("*")}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md", "generation_config.json"} <= names
    assert not names & {"trainer", "optimizer.safetensors", "manifest.json"}


def test_the_card_names_what_the_weights_rest_on(checkpoint: Checkpoint) -> None:
    [card] = [file.content.decode() for file in model_export.export_files(checkpoint) if file.name == "README.md"]

    assert card.startswith("---\nlibrary_name: transformers\n")
    assert r"DPO \| \*run\*" in card
    assert checkpoint.manifest_sha256 in card
    assert checkpoint.run.dataset is not None
    assert checkpoint.run.dataset.sha256 in card
    assert str(checkpoint.folder) not in card


def test_the_archive_has_the_size_that_it_announces_and_comes_in_pieces(checkpoint: Checkpoint) -> None:
    files = model_export.export_files(checkpoint)

    pieces = list(model_export.archive(files, "exported"))

    assert sum(map(len, pieces)) == model_export.archive_size(files, "exported")
    assert max(map(len, pieces)) <= model_export.CHUNK


def test_a_reward_model_has_no_generation_settings(checkpoint: Checkpoint) -> None:
    checkpoint.run.algorithm = "reward"

    files = {file.name: file for file in model_export.export_files(checkpoint)}

    assert b"AutoModelForSequenceClassification" in files["README.md"].content
    assert files.get("generation_config.json") is None or files["generation_config.json"].path is not None


def test_an_adapter_is_exported_alone_with_its_tokenizer(checkpoint: Checkpoint, tmp_path: Path) -> None:
    adapter = checkpoint.folder / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"r": 8}')
    (adapter / "adapter_model.safetensors").write_bytes(b"matrices")

    alone, whole = unpacked(checkpoint, tmp_path / "a", "adapter"), unpacked(checkpoint, tmp_path / "m")

    assert json.loads((alone / "adapter_config.json").read_text()) == {"r": 8}
    assert (alone / "tokenizer.json").is_file()
    assert not (alone / "model.safetensors").exists()
    assert not (whole / "adapter").exists()


@pytest.mark.parametrize(("form", "words"), [("adapter", "was not trained as an adapter"), ("gguf", "must be one of")])
def test_a_form_that_does_not_fit_is_refused(checkpoint: Checkpoint, form: str, words: str) -> None:
    with pytest.raises(ExportRefused, match=words):
        model_export.export_files(checkpoint, form)


def test_an_adapter_without_its_base_says_how_it_becomes_a_model(checkpoint: Checkpoint) -> None:
    (checkpoint.folder / "config.json").unlink()
    with pytest.raises(ExportRefused, match=r"training\.algorithms\.merge"):
        model_export.export_files(checkpoint)


def test_damaged_weights_are_not_exported(checkpoint: Checkpoint) -> None:
    path = checkpoint.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ExportRefused, match=r"model\.safetensors does not have the sum"):
        model_export.export_files(checkpoint)


def test_a_folder_that_is_gone_is_named(factory: Factory) -> None:
    with pytest.raises(ExportRefused, match="is gone"):
        model_export.export_files(factory.training_run().checkpoints.get())


def test_the_command_writes_a_new_folder_and_no_other(checkpoint: Checkpoint, tmp_path: Path) -> None:
    target = tmp_path / "exports" / "mine"

    call_command("export_checkpoint", str(checkpoint.pk), str(target))

    assert (target / "model.safetensors").is_file()
    assert not (target / "trainer").exists()
    with pytest.raises(CommandError, match="exists already"):
        call_command("export_checkpoint", str(checkpoint.pk), str(target))
    with pytest.raises(CommandError, match="There is no checkpoint 0"):
        call_command("export_checkpoint", "0", str(tmp_path / "other"))
