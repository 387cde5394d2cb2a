"""A checkpoint as a folder that any tool of the Hugging Face ecosystem reads: its files, and those made for it."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from core.errors import ConcordError
from training.algorithms.checkpoints import MANIFEST, CheckpointCorrupted, verify
from training.export_card import export_card
from training.models import Checkpoint, TrainingRun
from training.stop_token import stop_token_id

MODEL, ADAPTER = "model", "adapter"
FORMS = (MODEL, ADAPTER)
ADAPTER_FOLDER = "adapter"  # of a checkpoint that was trained as one
LEFT_OUT = ("trainer", ADAPTER_FOLDER)  # the optimiser and the state of the run; the adapter that is merged already
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
CHUNK = 1 << 20  # bytes that are held at a time


class ExportRefused(ConcordError):
    """A checkpoint cannot be exported in this form."""

    status = 409
    title = "This checkpoint cannot be exported"


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """One file of the exported folder: copied from the checkpoint, or made for the export."""

    name: str
    path: Path | None = None
    content: bytes = b""

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path else len(self.content)

    def open(self) -> IO[bytes]:
        return self.path.open("rb") if self.path else io.BytesIO(self.content)


def export_files(checkpoint: Checkpoint, form: str = MODEL) -> list[ExportedFile]:
    """What the exported folder holds, by name. Never the optimiser. Raises `ExportRefused` if it cannot be whole."""
    _check(checkpoint, form)
    folder = checkpoint.folder
    copied = _adapter_files(folder) if form == ADAPTER else _model_files(folder)
    made = {"README.md": export_card(checkpoint, form).encode()}
    if form == MODEL and checkpoint.run.algorithm != TrainingRun.Algorithm.REWARD:
        made["generation_config.json"] = _generation_config(folder)
    kept = {name: ExportedFile(name=name, path=path) for name, path in copied.items() if name not in made}
    written = {name: ExportedFile(name=name, content=content) for name, content in made.items()}
    return [file for _, file in sorted({**kept, **written}.items())]


def has_adapter(checkpoint: Checkpoint) -> bool:
    """Whether it can be exported as an adapter too."""
    return (checkpoint.folder / ADAPTER_FOLDER / "adapter_config.json").is_file()


def export_name(checkpoint: Checkpoint, form: str = MODEL) -> str:
    """A folder name without blanks and slashes."""
    name = str(checkpoint.language_model or f"{checkpoint.run}-step-{checkpoint.step}")
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or f"checkpoint-{checkpoint.pk}"
    return plain if form == MODEL else f"{plain}-adapter"


def write_folder(checkpoint: Checkpoint, folder: Path, form: str = MODEL) -> None:
    """Write the exported folder, whole or not at all. Raises `ExportRefused` if there is something already."""
    if folder.exists():
        raise ExportRefused(f"{folder} exists already; name a folder that does not.")
    files = export_files(checkpoint, form)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for file in files:
            with file.open() as source, (partial / file.name).open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def archive(files: list[ExportedFile], name: str) -> Iterator[bytes]:
    """A tar archive of the files under the folder `name`, a piece at a time."""
    for file in files:
        yield _header(file, name)
        with file.open() as source:
            while piece := source.read(CHUNK):
                yield piece
        yield bytes(-file.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def archive_size(files: list[ExportedFile], name: str) -> int:
    """The bytes of the archive, so that who downloads it sees how much is still to come."""
    padded = sum(len(_header(file, name)) + file.size + -file.size % tarfile.BLOCKSIZE for file in files)
    return padded + 2 * tarfile.BLOCKSIZE


def _header(file: ExportedFile, name: str) -> bytes:
    entry = tarfile.TarInfo(f"{name}/{file.name}")
    entry.size, entry.mode = file.size, 0o644
    return entry.tobuf(tarfile.PAX_FORMAT)


def _check(checkpoint: Checkpoint, form: str) -> None:
    folder = checkpoint.folder
    if form not in FORMS:
        raise ExportRefused(f"form must be one of {', '.join(FORMS)}, got {form!r}.")
    if not folder.is_dir():
        raise ExportRefused(f"The folder of {checkpoint} is gone: {folder}.")
    if form == ADAPTER and not has_adapter(checkpoint):
        raise ExportRefused(f"{checkpoint} was not trained as an adapter; export it as a model.")
    if form == MODEL and not (folder / "config.json").is_file():
        raise ExportRefused(
            f"{checkpoint} holds an adapter without its base: export it as an adapter, or make it a whole model "
            f"first: python -m training.algorithms.merge {folder}"
        )
    try:
        if (folder / MANIFEST).is_file():
            verify(folder)
    except CheckpointCorrupted as error:
        raise ExportRefused(f"{checkpoint} is damaged: {error} Export another checkpoint of its run.") from error


def _model_files(folder: Path) -> dict[str, Path]:
    paths = (path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    return {path.name: path for path in paths if path.name not in LEFT_OUT}


def _adapter_files(folder: Path) -> dict[str, Path]:
    adapter = {path.name: path for path in (folder / ADAPTER_FOLDER).iterdir() if path.is_file()}
    tokenizer = {name: folder / name for name in TOKENIZER_FILES if (folder / name).is_file()}
    return {**tokenizer, **adapter}


def _generation_config(folder: Path) -> bytes:
    """The checkpoint's own settings with the token that ends a reply, so that every tool stops where training did."""
    path = folder / "generation_config.json"
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    settings.pop("_from_model_config", None)  # with it, transformers would take the model's tokens instead
    stop = stop_token_id(folder)
    if stop is not None:
        settings["eos_token_id"] = stop
    return json.dumps(settings, indent=2, sort_keys=True).encode()
