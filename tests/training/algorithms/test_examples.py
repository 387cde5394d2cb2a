"""Rows that cannot be trained on are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.algorithms.builders import ranking_rows, rows
from training.algorithms.examples import (
    DataError,
    holds_rankings,
    read_demonstrations,
    read_labels,
    read_pairs,
    read_prompts,
    read_rankings,
)


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


def test_what_is_known_about_a_judgment_is_read_where_the_file_has_it(tmp_path: Path) -> None:
    plain = read_pairs(written(tmp_path, rows("dpo"))).train[0]
    assert (plain.p_chosen, plain.p_tied, plain.strength) == (1.0, 0.0, 0.0)
    data = [{**row, "p_chosen": 0.75, "p_tied": 0.5, "strength": 2.0} for row in rows("dpo")]
    data[0]["strength"] = None
    pairs = read_pairs(written(tmp_path, data)).train
    assert (pairs[1].p_chosen, pairs[1].p_tied, pairs[1].strength) == (0.75, 0.5, 2.0)
    assert pairs[0].strength == 0.0
    for change, message in (
        ({"p_chosen": 1.5}, "p_chosen must lie between 0 and 1"),
        ({"p_chosen": 0.9}, "p_chosen .0.9. counts half of p_tied"),
        ({"strength": -1.0}, "strength must be a number that is not negative"),
    ):
        with pytest.raises(DataError, match=message):
            read_pairs(written(tmp_path, [{**data[1], **change}]))


def test_rankings_are_known_by_their_tiers(tmp_path: Path) -> None:
    path = written(tmp_path, ranking_rows())
    assert holds_rankings(path)
    ranking = read_rankings(path).train[1]
    assert ranking.completions == ("cat", "dog owl", "elk")
    assert ranking.tiers == ((2,), (0, 1))
    assert not holds_rankings(written(tmp_path, rows("dpo")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"completions": ["one"], "tiers": [[0]]}, "two texts or more"),
        ({"completions": ["one", "one"], "tiers": [[0], [1]]}, "two texts or more, each another"),
        ({"completions": [None, "one"], "tiers": [[0], [1]]}, "completions must be a list of texts"),
        ({"tiers": [[0], [1]]}, "tiers must name each of the completions 0–2 once"),
        ({"tiers": [[0], [1], []]}, "tiers must be lists of indexes"),
        ({"weight": None}, "weight must be a number"),
    ],
)
def test_a_bad_ranking_is_named_by_its_row(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    data = ranking_rows()
    data[2] |= change
    with pytest.raises(DataError, match=message) as caught:
        read_rankings(written(tmp_path, data))
    assert str(caught.value).startswith("data.parquet, row 3: ")


def test_labels_are_true_or_false_and_only_an_unwanted_reply_may_be_silence(tmp_path: Path) -> None:
    data = rows("kto")
    assert [item.is_desirable for item in read_labels(written(tmp_path, data)).train[:3]] == [False, True, True]
    data[0]["completion"] = ""
    assert read_labels(written(tmp_path, data)).train[0].completion == ""
    data[1]["completion"] = ""
    with pytest.raises(DataError, match="row 2: completion must be a text that is not blank"):
        read_labels(written(tmp_path, data))
    with pytest.raises(DataError, match="row 1: label must be true"):
        read_labels(written(tmp_path, [{**row, "label": 1} for row in rows("kto")]))


def test_a_rejected_reply_may_be_silence(tmp_path: Path) -> None:
    data = rows("dpo")
    data[0]["rejected"] = ""
    assert read_pairs(written(tmp_path, data)).train[0].rejected == ""


def test_data_without_training_rows_a_column_or_a_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 of the 2 rows at least whose split is train"):
        read_prompts(written(tmp_path, [{**row, "split": "held_out"} for row in rows("ppo")]))
    with pytest.raises(DataError, match="completion"):
        read_demonstrations(written(tmp_path, rows("ppo")))
    (tmp_path / "data.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_prompts(tmp_path / "data.parquet")
