"""Log-probabilities of the frozen reference model, computed once and kept under a hash of what they depend on.

P pairs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.algorithms.adapter_files import base_weights
from training.algorithms.batches import completion_logps, micro_batches, sum_by_completion
from training.algorithms.models import LanguageModel
from training.algorithms.session import Session
from training.algorithms.tokenisation import TokenTree


def cached_reference_logps(
    session: Session, model: LanguageModel, trees: Sequence[TokenTree], *, pad_id: int, max_tokens: int
) -> Tensor:
    """Summed log-probabilities of every tree's two completions, nats, shape (P, 2), from the cache if it has them."""
    model, team = model.reference, session.team
    path = session.reference_cache / f"reference-{content_hash(model, trees)[:32]}.safetensors"
    known_P2 = kept(path)
    if not team.does_any(known_P2 is None) and known_P2 is not None:
        return known_P2
    own = team.share(range(len(trees)))
    report = session.events.progress
    part_P2 = reference_logps(model, trees, pad_id=pad_id, max_tokens=max_tokens, rows=own, report=report)
    logps_P2 = team.sum_up(part_P2)
    if team.is_leader:
        keep(path, logps_P2)
    return logps_P2


def kept(path: Path) -> Tensor | None:
    """The log-probabilities in a file of the cache; None if there is none that this version wrote."""
    try:
        return load_file(path)["logps_P2"]
    except (FileNotFoundError, SafetensorError):
        return None


def keep(path: Path, logps_P2: Tensor) -> None:
    """Write a file of the cache; another run may be at the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    save_file({"logps_P2": logps_P2}, partial)
    os.replace(partial, path)


@torch.no_grad()
def reference_logps(
    model: LanguageModel,
    trees: Sequence[TokenTree],
    *,
    pad_id: int,
    max_tokens: int,
    rows: Sequence[int],
    report: Callable[..., None],
) -> Tensor:
    """Summed log-probabilities of the two completions of every tree of `rows`, else 0, nats, shape (P, 2)."""
    logps_P2, num_done = torch.zeros(len(trees), 2), 0
    for group, batch in micro_batches(model, trees, pad_id=pad_id, max_tokens=max_tokens, rows=rows):
        logps_P2[group] = sum_by_completion(completion_logps(model, batch).logps_N, batch).view(-1, 2).cpu()
        num_done += len(group)
        report("log-probabilities of the reference", num_done=num_done, num_total=len(rows))
    return logps_P2


def content_hash(model: LanguageModel, trees: Sequence[TokenTree]) -> str:
    """SHA-256 over the weights, adapters left out, and the token ids."""
    digest = hashlib.sha256()
    for name, tensor in sorted(base_weights(model.network).items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data)
    for tree in trees:
        digest.update(repr((tree.prompt, tree.completions)).encode())
    return digest.hexdigest()
