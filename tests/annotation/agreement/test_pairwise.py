from __future__ import annotations

import numpy as np
import pytest

from annotation.agreement import (
    Columns,
    Weighting,
    cohen_kappa,
    columns_of,
    columns_of_ranks,
    pairwise_agreement,
    weight_matrix,
)


def of_table(table: list[list[int]], *, domain: tuple[int, ...] | None = None) -> Columns:
    """Two annotators, 1 and 2, whose confusion table is given."""
    pairs = [(row, column) for row, cells in enumerate(table) for column, n in enumerate(cells) for _ in range(n)]
    units = np.arange(len(pairs))
    values = [first for first, _ in pairs] + [second for _, second in pairs]
    return columns_of(
        np.tile(units, 2), np.repeat([1, 2], len(pairs)), values, domain=domain or tuple(range(len(table)))
    )


def random_columns(seed: int, *, num_units: int = 80, num_annotators: int = 6, num_values: int = 4) -> Columns:
    rng = np.random.default_rng(seed)
    truth = rng.integers(num_values, size=(num_units, 1))
    shape = (num_units, num_annotators)
    given = np.where(rng.random(shape) < 0.6, truth, rng.integers(num_values, size=shape))
    units, annotators = np.nonzero(rng.random(shape) < 0.6)
    return columns_of(units, annotators, given[units, annotators], domain=tuple(range(num_values)))


def kappa_by_definition(columns: Columns, first: int, second: int, weighting: Weighting) -> float:
    """1 - observed over expected disagreement, in plain loops (J. Cohen, 1968)."""
    rows = list(zip(columns.units_J, columns.annotators_J, columns.values_J, strict=True))
    of_first = {unit: value for unit, annotator, value in rows if annotator == first}
    of_second = {unit: value for unit, annotator, value in rows if annotator == second}
    shared = sorted(set(of_first) & set(of_second))
    apart = 1 - weight_matrix(weighting, columns.values)
    observed = sum(apart[of_first[unit], of_second[unit]] for unit in shared) / len(shared)
    expected = sum(apart[of_first[one], of_second[other]] for one in shared for other in shared) / len(shared) ** 2
    return float(1 - observed / expected)


def test_cohens_kappa_by_hand() -> None:
    # 20 agree on yes, 15 on no, 5 and 10 do not: observed 0.7, expected 25/50 · 30/50 + 25/50 · 20/50 = 0.5.
    assert cohen_kappa(of_table([[20, 5], [10, 15]]), 1, 2).value == pytest.approx(0.4)


def test_the_standard_error_of_kappa_is_that_of_fleiss_cohen_and_everitt() -> None:
    # J. Fleiss, J. Cohen, B. Everitt (1969), equation 13, for the table above, whose kappa is 0.4: with cells p_ij and
    # marginals r = (.5, .5), c = (.6, .4),
    # variance = (sum p_ii (1 - (r_i + c_i)(1 - k))² + (1 - k)² sum p_ij (c_i + r_j)² - (k - pe (1 - k))²) / (n (1-pe)²)
    shares = np.array([[20, 5], [10, 15]]) / 50
    r, c, k, expected = shares.sum(axis=1), shares.sum(axis=0), 0.4, 0.5
    diagonal = sum(shares[i, i] * (1 - (r[i] + c[i]) * (1 - k)) ** 2 for i in range(2))
    others = (1 - k) ** 2 * sum(shares[i, j] * (c[i] + r[j]) ** 2 for i, j in ((0, 1), (1, 0)))
    variance = (diagonal + others - (k - expected * (1 - k)) ** 2) / (50 * (1 - expected) ** 2)
    _, kappa = pairwise_agreement(of_table([[20, 5], [10, 15]])).row(1, 2)
    assert kappa.interval is not None
    assert kappa.interval[1] - 0.4 == pytest.approx(1.959964 * np.sqrt(variance), abs=1e-6)


@pytest.mark.parametrize("weighting", ["identity", "linear", "quadratic", "ordinal"])
@pytest.mark.parametrize("seed", range(3))
def test_kappas_of_all_pairs_equal_the_definition(weighting: Weighting, seed: int) -> None:
    columns = random_columns(seed)
    table = pairwise_agreement(columns, weighting=weighting)
    assert len(table.first_Q) == 15
    for first, second, kappa in zip(table.first_Q, table.second_Q, table.kappa_Q, strict=True):
        assert kappa == pytest.approx(kappa_by_definition(columns, first, second, weighting))
        alone = cohen_kappa(columns, int(first), int(second), weighting=weighting, num_resamples=2)
        assert alone.value == pytest.approx(kappa)


def test_the_quick_interval_is_near_the_bootstrap() -> None:
    columns = random_columns(1, num_units=2000)
    [raw, quick] = pairwise_agreement(columns).row(0, 3)
    slow = cohen_kappa(columns, 0, 3, num_resamples=4000)
    assert quick.interval == pytest.approx(slow.interval, abs=0.006)
    assert (quick.n, raw.n) == (slow.n, slow.n)


def test_the_matrix_is_symmetric_with_holes() -> None:
    # 1 and 2 share two comparisons and agree about one, 2 and 3 share one and agree, 1 and 3 share none.
    table = pairwise_agreement(columns_of([1, 1, 2, 2, 3, 3], [1, 2, 1, 2, 2, 3], [0, 0, 0, 1, 1, 1]))
    expected = np.array([[np.nan, 0.5, np.nan], [0.5, np.nan, 1], [np.nan, 1, np.nan]])
    np.testing.assert_array_equal(table.matrix(table.raw_Q), expected)
    np.testing.assert_array_equal(table.matrix(table.num_shared_Q)[0], [np.nan, 2, np.nan])


def test_undefined_cells_say_why() -> None:
    table = pairwise_agreement(columns_of([1, 1, 2], ["ann", "bob", "eve"], [0, 0, 1]))
    raw, kappa = table.row("bob", "ann")
    assert (raw.value, kappa.value) == (1, None)
    assert "the same value" in (kappa.reason or "")
    assert table.row("ann", "eve")[0].reason == "nothing was judged twice"
    with pytest.raises(ValueError, match="'zoe' judged nothing"):
        table.row("ann", "zoe")


def test_undefined_kappas_of_two_say_why() -> None:
    assert "the same value" in (cohen_kappa(of_table([[4, 0], [0, 0]]), 1, 2).reason or "")
    nothing_shared = columns_of([1, 2], [1, 2], [0, 0])
    assert cohen_kappa(nothing_shared, 1, 2).reason == "nothing was judged twice"


def test_nothing_gives_an_empty_table() -> None:
    table = pairwise_agreement(columns_of([], [], []))
    assert len(table.first_Q) == 0
    assert table.matrix(table.raw_Q).shape == (0, 0)


def test_very_many_annotators_give_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = random_columns(2)
    dense = pairwise_agreement(columns)
    monkeypatch.setattr("annotation.agreement.pairwise._LARGEST_TABLE", 1)
    monkeypatch.setattr("annotation.agreement.pairwise._CHUNK_PAIRS", 7)
    sparse = pairwise_agreement(columns)
    np.testing.assert_array_equal(sparse.first_Q, dense.first_Q)
    np.testing.assert_array_equal(sparse.kappa_Q, dense.kappa_Q)


def test_pairs_of_one_ranking_count_together_in_the_interval() -> None:
    ranks = np.array([[0, 1, 2, 3], [0, 1, 3, 2]] * 20)
    columns = columns_of_ranks(np.repeat(np.arange(20), 2), np.tile([1, 2], 20), ranks)
    table = pairwise_agreement(columns)
    of_comparisons = pairwise_agreement(of_table([[17, 1], [2, 0]]))  # any 20 comparisons
    assert table.num_shared_Q.tolist() == [120]
    assert table.raw_Q.tolist() == pytest.approx([5 / 6])
    width = table.raw_high_Q[0] - table.raw_low_Q[0]
    assert width == pytest.approx(of_comparisons.raw_high_Q[0] - of_comparisons.raw_low_Q[0], abs=0.02)
    alone = cohen_kappa(columns, 1, 2)
    assert (alone.n, alone.num_judgments) == (20, 240)
    assert alone.value == pytest.approx(table.kappa_Q[0])
