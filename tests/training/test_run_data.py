from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.models import Dataset
from tests.factory import Factory, preference_rows
from training import run_data
from training.algorithms import examples


def written(factory: Factory, tmp_path: Path, algorithm: str, kind: str, **fields: Any) -> Path:
    """data.parquet of a run of this algorithm on a dataset of this kind."""
    dataset = factory.dataset(kind=kind, **fields)
    path = tmp_path / "data.parquet"
    pq.write_table(run_data.table_for(algorithm, dataset.kind, dataset.parquet_path), path)
    return path


@pytest.mark.parametrize(
    ("algorithm", "kind", "read"),
    [
        ("sft", Dataset.Kind.DEMONSTRATIONS, examples.read_demonstrations),
        ("dpo", Dataset.Kind.PREFERENCES, examples.read_pairs),
        ("simpo", Dataset.Kind.PREFERENCES, examples.read_pairs),
        ("reward", Dataset.Kind.RANKINGS, examples.read_rankings),
        ("kto", Dataset.Kind.LABELS, examples.read_labels),
        ("kto", Dataset.Kind.PREFERENCES, examples.read_labels),
    ],
)
def test_the_training_process_can_read_what_is_written_for_it(
    factory: Factory, tmp_path: Path, algorithm: str, kind: str, read: Callable[[Path], Any]
) -> None:
    split = read(written(factory, tmp_path, algorithm, kind))
    assert split.train
    assert split.held_out


def test_the_ties_of_a_pair_are_a_share_of_its_votes_within_what_its_probability_leaves(
    factory: Factory, tmp_path: Path
) -> None:
    votes = {"votes_chosen": 2, "votes_rejected": 1, "votes_tied": 1}
    rows = [{**row, **votes, "p_chosen": p} for row, p in zip(preference_rows(2), (0.625, 0.95), strict=True)]
    path = written(factory, tmp_path, "reward", Dataset.Kind.PREFERENCES, rows=rows)
    assert pq.read_table(path)["p_tied"].to_pylist() == [0.25, pytest.approx(0.1)]


def test_a_dataset_from_before_strengths_were_kept_is_read_all_the_same(factory: Factory, tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "strength"} for row in preference_rows(4)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "old.parquet")
    table = run_data.table_for("dpo", Dataset.Kind.PREFERENCES, tmp_path / "old.parquet")
    assert "strength" not in table.column_names
    pq.write_table(table, tmp_path / "data.parquet")
    assert examples.read_pairs(tmp_path / "data.parquet").train[0].strength == 0.0


def test_pairs_give_each_reply_one_label_by_the_pairs_that_it_wins() -> None:
    shared = {"prompt": "[]", "weight": 1.0, "split": "train", "group_id": "a"}
    pairs = [("best", "middle"), ("best", "worst"), ("middle", "worst")]
    table = pa.Table.from_pylist([{**shared, "chosen": one, "rejected": other} for one, other in pairs])
    labels = run_data.labels_of(table).to_pylist()
    assert {row["completion"]: row["label"] for row in labels} == {"best": True, "worst": False}
