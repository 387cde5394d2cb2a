"""From the rows of a frozen dataset to the judgments behind them."""

from __future__ import annotations

import pytest

from annotation import dataset_trace
from annotation.dataset_paths import DatasetFileMissing, DatasetNotReady
from tests.factory import Factory
from tests.factory.traces import frozen, traced, votes


def test_annotators_are_counted_by_rows_and_by_rows_that_they_decided_alone(factory: Factory) -> None:
    made = traced(factory, ["AA", "A-", "-B", "BB", "A-"])

    first, second = dataset_trace.shares(made.dataset)

    assert (first.annotator, first.num_judgments, first.num_rows, first.num_alone) == (made.annotators[0], 4, 4, 2)
    assert (second.annotator, second.num_judgments, second.num_rows, second.num_alone) == (made.annotators[1], 3, 3, 1)


def test_a_tie_of_votes_is_no_row_and_counts_for_nobody(factory: Factory) -> None:
    made = traced(factory, ["AB", "AA"])

    assert [share.num_rows for share in dataset_trace.shares(made.dataset)] == [1, 1]


def test_rows_are_found_by_annotator(factory: Factory) -> None:
    made = traced(factory, ["A-", "-A", "AA"])
    judge = made.annotators[0]

    numbers = dataset_trace.row_numbers(made.dataset, annotator=judge)

    assert len(numbers) == 2
    rows = dataset_trace.traced(made.dataset, numbers)
    assert [row.number for row in rows] == list(numbers)
    assert all(judge in [judgment.annotator for judgment in row.judgments] for row in rows)


def test_without_an_annotator_every_row_is_there(factory: Factory) -> None:
    made = traced(factory, ["A-", "-A", "AA"])

    assert list(dataset_trace.row_numbers(made.dataset)) == [0, 1, 2]


def test_a_row_comes_with_the_judgments_that_made_it(factory: Factory) -> None:
    made = traced(factory, ["AA", "B-"])

    rows = dataset_trace.traced(made.dataset, [0, 1])

    for row in rows:
        assert [judgment.pk for judgment in row.judgments] == sorted(row.row["judgment_ids"])
        assert {judgment.comparison.prompt.fingerprint for judgment in row.judgments} == {row.row["group_id"]}


@pytest.mark.parametrize("kind", ["rankings", "labels", "demonstrations"])
def test_every_layout_can_be_traced(factory: Factory, kind: str) -> None:
    campaign, annotators = votes(factory, ["AA", "A-"])
    dataset = frozen(factory, campaign, kind=kind)

    assert {share.annotator for share in dataset_trace.shares(dataset)} == set(annotators)
    [first] = dataset_trace.traced(dataset, [0])
    assert first.judgments


def test_a_dataset_without_judgments_has_no_shares(factory: Factory) -> None:
    rows = [{"prompt": "[]", "completion": "hi", "split": "train", "group_id": "g", "judgment_ids": []}]
    dataset = factory.dataset(kind="demonstrations", rows=rows)

    assert dataset_trace.shares(dataset) == []
    assert dataset_trace.traced(dataset, [0])[0].judgments == []


def test_an_unfinished_or_missing_file_says_so(factory: Factory) -> None:
    with pytest.raises(DatasetNotReady, match="running"):
        dataset_trace.shares(factory.dataset(status="running"))
    dataset = factory.dataset()
    dataset.parquet_path.unlink()
    with pytest.raises(DatasetFileMissing, match=r"data\.parquet"):
        dataset_trace.shares(dataset)
