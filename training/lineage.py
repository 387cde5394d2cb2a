"""Where weights come from: the checkpoint, its run, the data, the models behind it, and theirs, as a graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from annotation.models import Campaign, Dataset
from generation.models import LanguageModel, PromptSet, SamplingRun
from training.models import Checkpoint, TrainingRun

MAX_NODES = 200  # of a picture that somebody shall look at; what lies further back is left out, and said so


@dataclass(frozen=True, kw_only=True)
class Node:
    """One thing that weights rest on."""

    kind: str  # "checkpoint", "model", "training run", "dataset", "campaign", "sampling run", "prompt set"
    id: int
    name: str
    facts: dict[str, Any] = field(default_factory=dict)  # hashes, counts, seeds: what pins it

    @property
    def key(self) -> str:
        """ "dataset-7" """
        return f"{self.kind.replace(' ', '-')}-{self.id}"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`child` rests on `parent`; `relation` reads from the child: "trained on"."""

    child: str
    parent: str
    relation: str


@dataclass(kw_only=True)
class Lineage:
    """The graph from one node backwards, nearest first."""

    root: str
    nodes: dict[str, Node]
    edges: list[Edge]
    is_complete: bool = True  # False: there were more than MAX_NODES

    def as_json(self) -> dict[str, Any]:
        return {
            "start": self.root,
            "is_complete": self.is_complete,
            "nodes": [
                {"key": node.key, "kind": node.kind, "id": node.id, "name": node.name, "facts": node.facts}
                for node in self.nodes.values()
            ],
            "edges": [{"from": edge.child, "to": edge.parent, "relation": edge.relation} for edge in self.edges],
        }


Found = tuple[str, Any]  # relation, row


def lineage_of(checkpoint: Checkpoint) -> Lineage:
    """Everything that the checkpoint rests on."""
    first = _node(checkpoint)
    lineage = Lineage(root=first.key, nodes={first.key: first}, edges=[])
    waiting: list[tuple[str, Any]] = [(first.key, checkpoint)]
    while waiting:
        child, row = waiting.pop(0)
        for relation, parent in _parents(row):
            node = _node(parent)
            if node.key not in lineage.nodes:
                if len(lineage.nodes) == MAX_NODES:
                    lineage.is_complete = False
                    continue
                lineage.nodes[node.key] = node
                waiting.append((node.key, parent))
            lineage.edges.append(Edge(child=child, parent=node.key, relation=relation))
    return lineage


def _parents(row: Any) -> Iterator[Found]:
    """What a row rests on, nearest first, each with the relation."""
    if isinstance(row, Checkpoint):
        yield "made by", row.run
    elif isinstance(row, TrainingRun):
        yield from _parents_of_run(row)
    elif isinstance(row, Dataset):
        yield from (("judgments of", campaign) for campaign in row.campaigns.order_by("pk"))
        if row.prompt_set is not None:
            yield "replies in", row.prompt_set
    elif isinstance(row, Campaign):
        yield from _parents_of_campaign(row)
    elif isinstance(row, SamplingRun):
        yield "prompts of", row.prompt_set
        models = LanguageModel.objects.filter(arms__run=row).distinct().order_by("pk")
        yield from (("written by", _weights(model)) for model in models)
    elif isinstance(row, LanguageModel) and row.parent is not None:
        relation = "serves" if row.source == LanguageModel.Source.SERVED else "descends from"
        yield relation, _weights(row.parent)


def _parents_of_run(run: TrainingRun) -> Iterator[Found]:
    if run.dataset is not None:
        yield "trained on", run.dataset
    if run.prompt_set is not None:
        yield "prompts of", run.prompt_set
    if run.init_model is not None:
        yield "started from", _weights(run.init_model)
    if run.reward_model is not None:
        yield "rewarded by", _weights(run.reward_model)
    if run.held_out_reward_model is not None:
        yield "checked by", _weights(run.held_out_reward_model)


def _parents_of_campaign(campaign: Campaign) -> Iterator[Found]:
    """The sampling runs whose completions were compared, else the prompt sets of what was imported."""
    runs = SamplingRun.objects.filter(completions__comparisons__campaign=campaign).distinct().order_by("pk")
    yield from (("compared replies of", run) for run in runs)
    if not runs:
        sets = PromptSet.objects.filter(prompts__comparisons__campaign=campaign).distinct().order_by("pk")
        yield from (("compared replies in", prompt_set) for prompt_set in sets)


def _weights(model: LanguageModel) -> Checkpoint | LanguageModel:
    """The checkpoint that was published as the model, or the model where it came from outside."""
    checkpoint: Checkpoint | None = Checkpoint.objects.filter(language_model=model).select_related("run").first()
    return checkpoint or model


def _node(row: Any) -> Node:
    kind = "model" if isinstance(row, LanguageModel) else row._meta.verbose_name
    return Node(kind=kind, id=row.pk, name=_name(row), facts=_facts(row))


def _name(row: Any) -> str:
    if isinstance(row, Checkpoint):
        return str(row.language_model or f"step {row.step} of {row.run}")
    return str(row)


def _facts(row: Any) -> dict[str, Any]:
    if isinstance(row, Checkpoint):
        published = row.language_model_id
        return {"step": row.step, "manifest_sha256": row.manifest_sha256, "language_model": published}
    if isinstance(row, TrainingRun):
        return {"algorithm": row.algorithm, "seed": row.seed, "spec_sha256": row.spec_sha256}
    if isinstance(row, Dataset):
        num_judgments = row.counts.get("judgments", 0)
        return {"sha256": row.sha256, "rows": row.num_rows, "judgments": num_judgments, "filter": row.filter}
    if isinstance(row, LanguageModel):
        return {"source": row.source, "location": row.location}
    if isinstance(row, PromptSet):
        return {"prompts": row.prompts.count(), "source": row.source, "licence": row.licence}
    return {}
