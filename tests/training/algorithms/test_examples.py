"""Rows that cannot be trained on are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.algorithms.builders import rows
from training.algorithms.examples import DataError, read_demonstrations, read_pairs, read_prompts


def written(folder: Path, data: list[dict[str, Any]]) -> Path:
    path = folder / "data.parquet"
    pq.write_table(pa.Table.from_pylist(data), path)
    return path


def test_rows_go_to_their_split(tmp_path: Path) -> None:
    demonstrations = read_demonstrations(written(tmp_path, rows("sft")))
    assert (len(demonstrations.train), len(demonstrations.held_out)) == (12, 4)
    assert demonstrations.train[0].prompt[-1]["content"] == "Say bee number 0."
    assert demonstrations.train[0].completion == "bee"
    pairs = read_pairs(written(tmp_path, rows("dpo")))
    assert (pairs.train[1].chosen, pairs.train[1].rejected, pairs.train[1].weight) == ("cat", "fox", 1.0)
    assert len(read_prompts(written(tmp_path, rows("ppo"))).train) == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen": "  "}, "chosen must be a text that is not blank"),
        ({"chosen": "same", "rejected": "same"}, "are the same text"),
        ({"rejected": None}, "rejected must be a text"),
        ({"weight": float("nan")}, "weight must be a number that is not negative"),
        ({"weight": -1.0}, "weight must be a number that is not negative"),
        ({"split": "test"}, "split must be train or held_out, got 'test'"),
        ({"prompt": "not json"}, "prompt is not JSON"),
        ({"prompt": '[{"role": "user"}]'}, "with the texts role and content"),
        ({"prompt": json.dumps([{"role": "assistant", "content": "hi"}])}, "last turn of prompt must be the user's"),
        ({"prompt": "[]"}, "last turn of prompt must be the user's"),
    ],
)
def test_a_bad_pair_is_named_by_its_row(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    data = rows("dpo")
    data[6] |= change
    with pytest.raises(DataError, match=message) as caught:
        read_pairs(written(tmp_path, data))
    assert str(caught.value).startswith("data.parquet, row 7: ")
    assert caught.value.kind == "data_error"


def test_a_rejected_reply_may_be_silence(tmp_path: Path) -> None:
    data = rows("dpo")
    data[0]["rejected"] = ""
    assert read_pairs(written(tmp_path, data)).train[0].rejected == ""


def test_data_without_training_rows_a_column_or_a_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row whose split is train"):
        read_prompts(written(tmp_path, [{**row, "split": "held_out"} for row in rows("ppo")]))
    with pytest.raises(DataError, match="completion"):
        read_demonstrations(written(tmp_path, rows("ppo")))
    (tmp_path / "data.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_prompts(tmp_path / "data.parquet")
