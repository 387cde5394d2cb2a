"""What a run was made with: code, libraries, chat template. Recorded when it starts, for its model card."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.conf import settings

from training.algorithms.chat import CHAT_TEMPLATE
from training.algorithms.model_shape import folder_of
from training.models import TrainingRun

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "pyarrow")
LOCK_FILE = "requirements/base.lock"
TEMPLATE_FILE = "chat_template.jinja"


def provenance_of(run: TrainingRun) -> dict[str, Any]:
    """A JSON object; what cannot be found out is an empty text."""
    root = Path(settings.BASE_DIR)
    return {
        "code_revision": code_revision(root),
        "trainer_sha256": trainer_sha256(root / "training" / "algorithms"),
        "lock_sha256": file_sha256(root / LOCK_FILE),
        "template_sha256": template_sha256(run.init_model.location if run.init_model else None),
        "packages": {name: package_version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def code_revision(root: Path) -> str:
    """The commit that is checked out in `root`; empty where that is no git checkout."""
    git = root / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).exists():
            return (git / name).read_text(encoding="utf-8").strip()
        packed = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
    except OSError:
        return ""


def trainer_sha256(folder: Path) -> str:
    """Over the names and texts of the training code: equal hashes are equal code, with or without git."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def template_sha256(model: str | None) -> str:
    """Of the chat template's text: our own for a fresh model, else the one in the model's folder."""
    return _sha256(CHAT_TEMPLATE if model is None else _template_in(folder_of(model)))


def file_sha256(path: Path) -> str:
    """Of a file's bytes; empty if there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _template_in(folder: Path | None) -> str:
    if folder is None:
        return ""
    try:
        return (folder / TEMPLATE_FILE).read_text(encoding="utf-8")
    except OSError:
        pass
    try:
        template = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
    except (OSError, ValueError):
        return ""
    return template if isinstance(template, str) else ""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest() if text else ""
