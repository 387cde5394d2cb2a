"""The README.md of an exported model: what it is, what it rests on, how to load it. Markdown, as model hubs read it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from generation.models import LanguageModel
from training.lineage import Lineage, Node, lineage_of
from training.models import Checkpoint, Metric, TrainingRun

PINNED_BY = ("manifest_sha256", "spec_sha256", "sha256")
LOADED_BY = {
    "reward": "AutoModelForSequenceClassification",
    "policy": "AutoModelForCausalLM",
}


def export_card(checkpoint: Checkpoint, form: str) -> str:
    """The card of one checkpoint."""
    lineage = lineage_of(checkpoint)
    parts = (_front(checkpoint), _head(checkpoint), _loading(checkpoint, form), _settings(checkpoint.run))
    written = ["\n".join(part) for part in (*parts, _lineage(lineage), _measured(checkpoint))]
    return "\n\n".join(text for text in written if text) + "\n"


def plain(text: object) -> str:
    """Somebody's words on one line, which no Markdown in them can leave."""
    line = " ".join(str(text).split())
    for character in "\\|`*_[]<>#":
        line = line.replace(character, f"\\{character}")
    return line


def _front(checkpoint: Checkpoint) -> Iterator[str]:
    yield "---"
    yield "library_name: transformers"
    yield f"tags: {json.dumps(['concord', checkpoint.run.algorithm])}"
    base = checkpoint.run.init_model
    if base is not None and base.source == LanguageModel.Source.HUB:
        yield f"base_model: {json.dumps(base.location)}"
    yield "---"


def _head(checkpoint: Checkpoint) -> Iterator[str]:
    run = checkpoint.run
    yield f"# {plain(checkpoint.language_model or run.name)}"
    yield ""
    yield f"{run.get_algorithm_display()}: step {checkpoint.step} of the training run {plain(run.name)} (id {run.pk})."


def _loading(checkpoint: Checkpoint, form: str) -> Iterator[str]:
    is_reward = checkpoint.run.algorithm == TrainingRun.Algorithm.REWARD
    kind = LOADED_BY["reward" if is_reward else "policy"]
    yield "```python"
    if form == "adapter":
        yield f"from peft import AutoPeftModelFor{'SequenceClassification' if is_reward else 'CausalLM'} as Model"
    else:
        yield f"from transformers import {kind} as Model"
    yield 'model = Model.from_pretrained("path/to/this/folder")'
    yield "```"
    if is_reward:
        yield ""
        yield "It has one output: the score of a conversation that ends with the reply, rendered by the chat template."


def _settings(run: TrainingRun) -> Iterator[str]:
    yield "## How it was trained"
    yield ""
    yield "| Setting | Value |"
    yield "|---|---|"
    for name, value in [("seed", run.seed), *sorted(run.config.items())]:
        yield f"| {plain(name)} | {plain(json.dumps(value))} |"


def _lineage(lineage: Lineage) -> Iterator[str]:
    yield "## What it rests on"
    yield ""
    yield "| | Name | Pinned by |"
    yield "|---|---|---|"
    yield from (_row(node) for node in lineage.nodes.values())


def _row(node: Node) -> str:
    pins = [f"{name} `{node.facts[name]}`" for name in PINNED_BY if node.facts.get(name)]
    judged = [f"{node.facts['judgments']:,} judgments"] if node.facts.get("judgments") else []
    return f"| {node.kind} {node.id} | {plain(node.name)} | {', '.join([*pins, *judged])} |"


def _measured(checkpoint: Checkpoint) -> Iterator[str]:
    last = checkpoint.run.metrics.filter(kind=Metric.Kind.EVALUATION, step__lte=checkpoint.step).last()
    model = checkpoint.language_model
    results = list(model.evaluation_results.select_related("run")) if model else []
    if last is None and not results:
        return
    yield "## How it measures"
    yield ""
    yield "| Measure | Value | 95 % interval |"
    yield "|---|---|---|"
    for name, value in sorted(last.values.items()) if last else []:
        yield f"| {plain(name)}, on held-out rows | {value:.4g} | |"
    for result in results:
        interval = f"{result.low:.3f} – {result.high:.3f}"
        yield f"| {plain(result.metric)}, {plain(result.run)} | {result.value:.3f} | {interval} |"
