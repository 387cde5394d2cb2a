"""A lineage as boxes and lines: what weights rest on stands below them, each generation in a row of its own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django.urls import reverse

from training.lineage import Lineage, Node

BOX_WIDTH, BOX_HEIGHT = 208, 46  # SVG units, which are pixels
GAP_X, GAP_Y = 20, 38
MARGIN = 4
NAME_CHARACTERS = 27  # of a box
PAGES = {
    "checkpoint": "checkpoint",
    "model": "language-model",
    "training run": "training-run",
    "dataset": "dataset",
    "campaign": "campaign",
    "sampling run": "sampling-run",
    "prompt set": "prompt-set",
}


@dataclass(frozen=True, kw_only=True)
class Box:
    """One thing, where it stands, and its page."""

    node: Node
    url: str
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.x + BOX_WIDTH / 2

    @property
    def css_kind(self) -> str:
        return self.node.kind.replace(" ", "-")

    @property
    def shown_name(self) -> str:
        name = self.node.name
        return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}…"


@dataclass(frozen=True, kw_only=True)
class Label:
    """Words above a box: what those above it have to do with it."""

    words: str
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Everything that the SVG needs."""

    width: float
    height: float
    boxes: list[Box]
    paths: list[str]
    labels: list[Label]


def picture_of(lineage: Lineage) -> Picture:
    """The boxes of each generation are centred, in the order of what rests on them."""
    rows = _rows(lineage)
    widest = max(len(row) for row in rows)
    width = widest * (BOX_WIDTH + GAP_X) - GAP_X
    boxes: dict[str, Box] = {}
    for depth, row in enumerate(rows):
        left = (width - len(row) * (BOX_WIDTH + GAP_X) + GAP_X) / 2
        for place, key in enumerate(_ordered(row, lineage, boxes)):
            node = lineage.nodes[key]
            x, y = MARGIN + left + place * (BOX_WIDTH + GAP_X), MARGIN + depth * (BOX_HEIGHT + GAP_Y)
            boxes[key] = Box(node=node, url=reverse(PAGES[node.kind], args=[node.id]), x=x, y=y)
    return Picture(
        width=width + 2 * MARGIN,
        height=len(rows) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN,
        boxes=list(boxes.values()),
        paths=[_path(boxes[edge.child], boxes[edge.parent]) for edge in lineage.edges],
        labels=_labels(lineage, boxes),
    )


def _rows(lineage: Lineage) -> list[list[str]]:
    """Keys by generation: a thing stands below everything that rests on it."""
    depth = dict.fromkeys(lineage.nodes, 0)
    for _ in lineage.nodes:  # as many passes as the longest chain could need; a circle ends with them
        for edge in lineage.edges:
            depth[edge.parent] = min(max(depth[edge.parent], depth[edge.child] + 1), len(lineage.nodes))
    by_depth: dict[int, list[str]] = defaultdict(list)
    for key, generation in depth.items():
        by_depth[generation].append(key)
    return [by_depth[generation] for generation in sorted(by_depth)]


def _ordered(row: list[str], lineage: Lineage, placed: dict[str, Box]) -> list[str]:
    """Below what rests on it, so that few lines cross."""

    def wish(key: str) -> float:
        above = [placed[edge.child].middle for edge in lineage.edges if edge.parent == key and edge.child in placed]
        return sum(above) / len(above) if above else 0.0

    return sorted(row, key=wish)


def _path(child: Box, parent: Box) -> str:
    top, bottom = child.y + BOX_HEIGHT, parent.y
    middle = (top + bottom) / 2
    curve = f"M{child.middle:.1f} {top:.1f} C{child.middle:.1f} {middle:.1f} {parent.middle:.1f} {middle:.1f}"
    return f"{curve} {parent.middle:.1f} {bottom:.1f}"


def _labels(lineage: Lineage, boxes: dict[str, Box]) -> list[Label]:
    relations: dict[str, dict[str, None]] = defaultdict(dict)
    for edge in lineage.edges:
        relations[edge.parent][edge.relation] = None
    return [Label(words=" · ".join(said), x=boxes[key].middle, y=boxes[key].y - 7) for key, said in relations.items()]
