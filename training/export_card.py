"""The README.md of an exported model: its run's card, what its weights rest on, how they are loaded."""

from __future__ import annotations

from collections.abc import Iterator

from training.lineage import Node, lineage_of
from training.model_card import model_card, plain
from training.models import Checkpoint, TrainingRun

PINNED_BY = ("manifest_sha256", "spec_sha256", "sha256")


def export_card(checkpoint: Checkpoint, form: str) -> str:
    """The card of one checkpoint."""
    parts = (_loading(checkpoint, form), _lineage(checkpoint))
    return "\n\n".join([model_card(checkpoint.run).rstrip(), *("\n".join(part) for part in parts)]) + "\n"


def _loading(checkpoint: Checkpoint, form: str) -> Iterator[str]:
    is_reward = checkpoint.run.algorithm == TrainingRun.Algorithm.REWARD
    task = "SequenceClassification" if is_reward else "CausalLM"
    library, kind = (
        ("peft", f"AutoPeftModelFor{task}") if form == "adapter" else ("transformers", f"AutoModelFor{task}")
    )
    yield "## How it is loaded"
    yield ""
    yield f"This folder is step {checkpoint.step}."
    yield ""
    yield "```python"
    yield f"from {library} import {kind}"
    yield ""
    yield f'model = {kind}.from_pretrained("path/to/this/folder")'
    yield "```"
    if is_reward:
        yield ""
        yield "It has one output: the score of a conversation that ends with the reply, rendered by the chat template."


def _lineage(checkpoint: Checkpoint) -> Iterator[str]:
    yield "## What it rests on"
    yield ""
    yield "| | Name | Pinned by |"
    yield "|---|---|---|"
    yield from (_row(node) for node in lineage_of(checkpoint).nodes.values())


def _row(node: Node) -> str:
    pins = [f"{name} `{node.facts[name]}`" for name in PINNED_BY if node.facts.get(name)]
    judged = [f"{node.facts['judgments']:,} judgments"] if node.facts.get("judgments") else []
    return f"| {node.kind} {node.id} | {plain(node.name)} | {', '.join([*pins, *judged])} |"
