"""What became of a dataset's rows when it was frozen again by other rules."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from annotation.models import Dataset

COLUMNS: dict[str, list[str]] = {  # what a row is about, what it says, and how strongly
    Dataset.Kind.PREFERENCES: ["split", "chosen_id", "rejected_id", "p_chosen"],
    Dataset.Kind.RANKINGS: ["split", "completion_ids", "tiers", "weight"],
    Dataset.Kind.LABELS: ["split", "completion_id", "label", "p_desirable"],
    Dataset.Kind.DEMONSTRATIONS: ["split", "group_id", "completion_id"],
}
Said = tuple[Hashable, float | None]  # what a row says, and how strongly


def changes(before: Dataset, after: Dataset) -> dict[str, int]:
    """Counts of rows: those of both, and how many were removed, are new, say something else, or say it less or more.

    Both datasets are finished and of one kind.
    """
    old, new = _rows(before.kind, before.parquet_path), _rows(after.kind, after.parquet_path)
    shared = old.keys() & new.keys()
    turned = {key for key in shared if old[key][0] != new[key][0]}
    return {
        "rows_before": len(old),
        "rows_after": len(new),
        "removed": len(old.keys() - new.keys()),
        "added": len(new.keys() - old.keys()),
        "turned": len(turned),
        "reweighted": sum(old[key][1] != new[key][1] for key in shared - turned),
    }


def _rows(kind: str, path: Path) -> Mapping[Hashable, Said]:
    rows = pq.read_table(path, columns=COLUMNS[kind]).to_pylist()
    read = {
        Dataset.Kind.PREFERENCES: _pair,
        Dataset.Kind.RANKINGS: _ranking,
        Dataset.Kind.LABELS: _label,
        Dataset.Kind.DEMONSTRATIONS: _demonstration,
    }[Dataset.Kind(kind)]
    return dict(read(row) for row in rows)


def _pair(row: dict[str, Any]) -> tuple[Hashable, Said]:
    return frozenset((row["chosen_id"], row["rejected_id"])), (row["chosen_id"], row["p_chosen"])


def _ranking(row: dict[str, Any]) -> tuple[Hashable, Said]:
    """A comparison may have several rows, one for each order that somebody gave it: the order is what a row is."""
    order = tuple(tuple(tier) for tier in row["tiers"])
    return (tuple(row["completion_ids"]), order), (order, row["weight"])


def _label(row: dict[str, Any]) -> tuple[Hashable, Said]:
    return row["completion_id"], (row["label"], row["p_desirable"])


def _demonstration(row: dict[str, Any]) -> tuple[Hashable, Said]:
    return row["group_id"], (row["completion_id"], None)
