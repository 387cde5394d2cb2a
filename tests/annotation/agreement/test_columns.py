from __future__ import annotations

import numpy as np
import pytest

from annotation.agreement import (
    Columns,
    coded,
    columns_of,
    columns_of_ranks,
    count_columns,
    count_pairs,
    ranks_of_tiers,
)


def as_rows(columns: Columns) -> list[tuple[object, object, object]]:
    comparisons = columns.comparisons[columns.groups_U[columns.units_J]].tolist()
    annotators = columns.annotators[columns.annotators_J].tolist()
    return list(zip(comparisons, annotators, [columns.values[value] for value in columns.values_J], strict=True))


def test_judgments_in_any_order_come_sorted() -> None:
    columns = columns_of([30, 10, 30], ["bob", "bob", "ann"], [1, -1, 0])
    assert as_rows(columns) == [(10, "bob", -1), (30, "ann", 0), (30, "bob", 1)]
    assert (columns.values, columns.num_units) == ((-1, 0, 1), 2)


def test_a_value_that_is_not_a_number_is_no_judgment() -> None:
    assert as_rows(columns_of([1, 1, 2], [5, 6, 5], [0.5, np.nan, 2.0])) == [(1, 5, 0.5), (2, 5, 2.0)]


def test_two_judgments_of_one_comparison_by_one_annotator_are_refused() -> None:
    with pytest.raises(ValueError, match="annotator 8 judged 3 twice"):
        columns_of([3, 4, 3], [8, 8, 8], [1, 1, 0])


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1, 2 and 1"):
        columns_of([1], [1, 2], [0])


def test_a_domain_keeps_values_that_nobody_gave() -> None:
    assert columns_of([1, 2], [1, 1], [2, 3], domain=[1, 2, 3, 4]).values == (1, 2, 3, 4)
    with pytest.raises(ValueError, match="the value 7 is not one of"):
        columns_of([1], [1], [7], domain=[1, 2])


@pytest.mark.parametrize("cells", [[7, 3, 3, 9], [10**15, -5, 3], ["b", "a", "b"], [2.5, 1.0, 2.5], [True, False]])
def test_codes_are_places_among_the_different_cells(cells: list[object]) -> None:
    known, codes = coded(cells)
    assert known[codes].tolist() == cells
    assert known.tolist() == sorted(set(cells))  # type: ignore[type-var] # each list is of one type


def test_tables_of_small_numbers_code_as_sorting_does() -> None:
    cells = np.random.default_rng(0).integers(-50, 400, size=900)
    known, codes = coded(cells)
    expected, expected_codes = np.unique(cells, return_inverse=True)
    assert known.tolist() == expected.tolist()
    assert codes.tolist() == expected_codes.tolist()


def test_nothing_is_a_column_too() -> None:
    columns = columns_of([], [], [])
    assert (columns.num_units, len(columns.annotators), columns.values) == (0, 0, ())


def test_tiers_become_ranks_with_holes() -> None:
    ranks = ranks_of_tiers([[[2], [0, 1]], [[1]]], 3)
    assert ranks[0].tolist() == [1, 1, 0]
    assert np.isnan(ranks[1]).tolist() == [True, False, True]


def test_every_two_ranked_completions_are_a_unit() -> None:
    rankings = [("x", [[1], [0, 2]]), ("x", [[0], [1], [2]]), ("y", [[0], [2]])]
    ranks = ranks_of_tiers([tiers for _, tiers in rankings], 3)
    columns = columns_of_ranks([name for name, _ in rankings], [1, 2, 1], ranks)
    counted, expected = count_columns(columns), count_pairs(rankings)
    assert counted.counts_UV.tolist() == expected.counts_UV.tolist()
    assert counted.groups_U.tolist() == expected.groups_U.tolist() == [0, 0, 0, 1]
    assert columns.unit_weights().tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])


def test_ranks_need_a_row_for_each_ranking() -> None:
    with pytest.raises(ValueError, match="one row of ranks for each of 2"):
        columns_of_ranks([1, 2], [1, 1], np.zeros((3, 2)))
