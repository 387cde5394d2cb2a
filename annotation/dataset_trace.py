"""From the rows of a frozen dataset to the judgments behind them, and who gave those."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from annotation.dataset_paths import existing_file
from annotation.models import Annotator, Dataset, Judgment

Integers = NDArray[np.int64]
ROWS_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one annotator has to do with a dataset."""

    annotator: Annotator
    num_judgments: int  # in the dataset
    num_rows: int  # that rest on at least one of them
    num_alone: int  # that rest on nothing else: they go with the annotator


@dataclass(frozen=True, kw_only=True)
class TracedRow:
    """A row of the dataset with the judgments that it was made of."""

    number: int  # from 0, in file order
    row: dict[str, Any]
    judgments: Sequence[Judgment]


def shares(dataset: Dataset) -> list[Share]:
    """Every annotator whose judgments are in the dataset, the busiest first."""
    ids_J, rows_J = _judgments_of(dataset)
    annotator_J = _annotators(dataset, ids_J)
    num_voices = _distinct_per_row(rows_J, annotator_J)
    annotators = Annotator.objects.in_bulk(np.unique(annotator_J).tolist())
    found = []
    for pk, annotator in annotators.items():
        rows = np.unique(rows_J[annotator_J == pk])
        found.append(
            Share(
                annotator=annotator,
                num_judgments=len(np.unique(ids_J[annotator_J == pk])),
                num_rows=len(rows),
                num_alone=int((num_voices[rows] == 1).sum()),
            )
        )
    return sorted(found, key=lambda share: (-share.num_rows, share.annotator.name))


def row_numbers(dataset: Dataset, *, annotator: Annotator | None = None) -> Sequence[int]:
    """The rows that rest on a judgment of the annotator; all of them if none is named."""
    if annotator is None:
        return range(dataset.num_rows)
    ids_J, rows_J = _judgments_of(dataset)
    theirs = Judgment.objects.filter(annotator=annotator, comparison__campaign__in=dataset.campaigns.all())
    ids = np.fromiter(theirs.values_list("pk", flat=True).iterator(chunk_size=10_000), dtype=np.int64)
    return list(np.unique(rows_J[np.isin(ids_J, ids)]).tolist())


def traced(dataset: Dataset, numbers: Iterable[int]) -> list[TracedRow]:
    """These rows, each with its judgments in the order in which they were given."""
    shown = list(_rows(dataset, set(numbers)))
    wanted = {pk for _, row in shown for pk in row["judgment_ids"]}
    related = ("annotator", "comparison__campaign", "judge_verdict__version__model")
    judgments = (
        Judgment.objects.filter(pk__in=wanted)
        .select_related(*related)
        .prefetch_related("comparison__candidates")
        .in_bulk()
    )
    return [
        TracedRow(
            number=number,
            row=row,
            judgments=[judgments[pk] for pk in sorted(row["judgment_ids"]) if pk in judgments],
        )
        for number, row in shown
    ]


def _rows(dataset: Dataset, numbers: set[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows with these numbers in file order; no more of the file is read than up to the last of them."""
    first, last = 0, max(numbers, default=-1)
    for batch in pq.ParquetFile(existing_file(dataset, dataset.parquet_path)).iter_batches(batch_size=ROWS_AT_ONCE):
        if first > last:
            return
        inside = [number for number in range(first, first + batch.num_rows) if number in numbers]
        yield from zip(inside, batch.take([number - first for number in inside]).to_pylist(), strict=True)
        first += batch.num_rows


def _judgments_of(dataset: Dataset) -> tuple[Integers, Integers]:
    """Every judgment of every row, and the row's number: both [J]."""
    path = existing_file(dataset, dataset.parquet_path)
    column = pq.read_table(path, columns=["judgment_ids"])["judgment_ids"].combine_chunks()
    ids_J = np.asarray(pc.list_flatten(column), dtype=np.int64)
    rows_J = np.asarray(pc.list_parent_indices(column), dtype=np.int64)
    return ids_J, rows_J


def _annotators(dataset: Dataset, ids_J: Integers) -> Integers:
    """Who gave each judgment, [J]; 0 for one that is there no longer."""
    judgments = Judgment.objects.filter(comparison__campaign__in=dataset.campaigns.all())
    known = defaultdict(int, judgments.values_list("pk", "annotator_id").iterator(chunk_size=10_000))
    return np.array([known[pk] for pk in ids_J.tolist()], dtype=np.int64)


def _distinct_per_row(rows_J: Integers, annotator_J: Integers) -> Integers:
    """How many annotators each row rests on, by the row's number."""
    pairs = np.unique(np.stack([rows_J, annotator_J]), axis=1) if len(rows_J) else np.zeros((2, 0), dtype=np.int64)
    return np.bincount(pairs[0], minlength=int(rows_J.max(initial=-1)) + 1)
