from __future__ import annotations

import krippendorff
import numpy as np
import pytest

from annotation.agreement import (
    FIRST_BETTER,
    FIRST_WORSE,
    TIED,
    Level,
    ValueCounts,
    count_pairs,
    count_values,
    krippendorff_alpha,
    raw_agreement,
)


def random_counts(seed: int, *, num_units: int = 60, num_values: int = 4) -> ValueCounts:
    """Judgments that agree in part, with many missing and some units judged once or never."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(num_values, size=num_units)
    noisy = np.where(rng.random((5, num_units)) < 0.6, truth, rng.integers(num_values, size=(5, num_units)))
    is_there = rng.random((5, num_units)) < 0.5
    counts = np.stack([((noisy == value) & is_there).sum(axis=0) for value in range(num_values)], axis=1)
    return ValueCounts(counts_UV=counts, values=tuple(range(num_values)), groups_U=np.arange(num_units))


def of_rows(*rows: list[int], values: tuple[int, ...] = (0, 1)) -> ValueCounts:
    return ValueCounts(counts_UV=np.array(rows), values=values, groups_U=np.arange(len(rows)))


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_the_krippendorff_package(level: Level, seed: int) -> None:
    data = random_counts(seed)
    expected = krippendorff.alpha(
        value_counts=data.counts_UV, value_domain=list(data.values), level_of_measurement=level
    )
    assert krippendorff_alpha(data, level=level).value == pytest.approx(expected, abs=1e-12)


def test_alpha_of_unequal_steps_equals_the_krippendorff_package() -> None:
    data = random_counts(9)
    data = ValueCounts(counts_UV=data.counts_UV, values=(1, 2, 5, 11), groups_U=data.groups_U)
    expected = krippendorff.alpha(
        value_counts=data.counts_UV, value_domain=[1, 2, 5, 11], level_of_measurement="interval"
    )
    assert krippendorff_alpha(data, level="interval").value == pytest.approx(expected, abs=1e-12)


def test_alpha_of_two_annotators_by_hand() -> None:
    # Units (0,0), (1,1), (0,1), (1,1): coincidences o00 = 2, o11 = 4, o01 = o10 = 1; n0 = 3, n1 = 5, n = 8.
    # Observed 2, expected 2·3·5 = 30: alpha = 1 - (8 - 1) · 2 / 30 = 8/15.
    alpha = krippendorff_alpha(of_rows([2, 0], [0, 2], [1, 1], [0, 2]), level="nominal")
    assert alpha.value == pytest.approx(8 / 15)
    assert (alpha.n, alpha.num_judgments) == (4, 8)


def test_raw_agreement_is_the_share_of_equal_pairs() -> None:
    # Three judgments 0, 0, 1: one equal pair of three; two judgments 1, 1: one of one. Together 2 of 4.
    assert raw_agreement(of_rows([2, 1], [0, 2])).value == 0.5


def test_perfect_agreement_is_one() -> None:
    data = of_rows([3, 0], [0, 2], [4, 0])
    assert raw_agreement(data).value == 1
    assert krippendorff_alpha(data, level="nominal").value == 1


def test_a_lone_judgment_does_not_count() -> None:
    with_lone = of_rows([2, 0], [1, 1], [0, 2], [1, 0], [0, 0])
    without = of_rows([2, 0], [1, 1], [0, 2])
    assert krippendorff_alpha(with_lone, level="nominal") == krippendorff_alpha(without, level="nominal")
    assert raw_agreement(with_lone) == raw_agreement(without)


@pytest.mark.parametrize("data", [of_rows([1, 0], [0, 1]), count_values([], []), count_pairs([])])
def test_without_double_judgments_agreement_is_undefined_and_says_so(data: ValueCounts) -> None:
    for result in (raw_agreement(data), krippendorff_alpha(data, level="ordinal")):
        assert (result.value, result.interval, result.n) == (None, None, 0)
        assert result.reason == "nothing was judged twice"


def test_alpha_of_a_single_value_is_undefined_and_says_so() -> None:
    data = of_rows([2, 0], [3, 0])
    alpha = krippendorff_alpha(data, level="nominal")
    assert (alpha.value, alpha.interval) == (None, None)
    assert "all judgments are the same value" in (alpha.reason or "")
    assert raw_agreement(data).value == 1


def test_one_comparison_has_a_value_but_no_interval() -> None:
    result = raw_agreement(of_rows([2, 1]))
    assert result.value == pytest.approx(1 / 3)
    assert result.interval is None
    assert "two comparisons" in (result.reason or "")


def test_the_interval_holds_the_value_and_shrinks_with_more_comparisons() -> None:
    def width(num_units: int) -> float:
        alpha = krippendorff_alpha(random_counts(1, num_units=num_units), level="nominal")
        assert alpha.value is not None
        assert alpha.interval is not None
        assert alpha.interval[0] < alpha.value < alpha.interval[1]
        return alpha.interval[1] - alpha.interval[0]

    assert width(1000) < width(100) / 2


def test_the_interval_of_a_share_is_the_binomial_one() -> None:
    # 300 comparisons with two judgments, 200 of them equal: standard error sqrt(2/9 / 300) = 0.0272.
    low, high = raw_agreement(of_rows(*[[2, 0]] * 200, *[[1, 1]] * 100), num_resamples=4000).interval or (0, 0)
    assert low == pytest.approx(2 / 3 - 1.96 * 0.0272, abs=0.006)
    assert high == pytest.approx(2 / 3 + 1.96 * 0.0272, abs=0.006)


def test_the_same_seed_gives_the_same_interval() -> None:
    data = random_counts(2)
    assert raw_agreement(data, seed=4) == raw_agreement(data, seed=4) != raw_agreement(data, seed=5)


def test_many_different_comparisons_are_resampled_by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_counts(3, num_units=400)
    by_kind = raw_agreement(data).interval
    monkeypatch.setattr("annotation.agreement.intervals._MANY_DISTINCT", 1)
    monkeypatch.setattr("annotation.agreement.intervals._CHUNK_CELLS", 5_000)
    by_index = raw_agreement(data).interval
    assert by_kind is not None
    assert by_index == pytest.approx(by_kind, abs=0.01)


def test_counts_come_from_two_columns() -> None:
    data = count_values(["a", "b", "a", "a"], [1, 7, 1, 7])
    assert data.counts_UV.tolist() == [[2, 1], [0, 1]]
    assert data.values == (1, 7)


def test_units_may_be_tuples() -> None:
    assert count_values([(1, 2), (0, 5), (1, 2)], ["x", "x", "y"]).counts_UV.tolist() == [[1, 0], [1, 1]]


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 units and 1 values"):
        count_values([1, 2], [1])


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level must be"):
        krippendorff_alpha(of_rows([2, 0], [1, 1]), level="ratio")  # type: ignore[arg-type]


def test_tiers_become_one_unit_for_each_pair_of_completions() -> None:
    data = count_pairs([("x", [[1], [0, 2]]), ("x", [[0], [1], [2]]), ("y", [[0, 1]])])
    assert data.values == (FIRST_WORSE, TIED, FIRST_BETTER)
    # x: (0,1) worse then better; (0,2) tied then better; (1,2) better twice. y: (0,1) tied.
    assert data.counts_UV.tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 2], [0, 1, 0]]
    assert data.groups_U.tolist() == [0, 0, 0, 1]


def test_the_pairs_of_a_ranking_are_resampled_together() -> None:
    rankings = [
        (key, tiers)
        for key in range(40)
        for tiers in ([[0], [1], [2], [3]], [[3 if key % 2 else 0], [1], [2], [0 if key % 2 else 3]])
    ]
    grouped = count_pairs(rankings)
    split = ValueCounts(counts_UV=grouped.counts_UV, values=grouped.values, groups_U=np.arange(len(grouped.groups_U)))
    together, apart = raw_agreement(grouped), raw_agreement(split)
    assert together.value == apart.value
    assert (together.n, apart.n) == (40, 240)
    assert together.interval is not None
    assert apart.interval is not None
    assert together.interval[1] - together.interval[0] > apart.interval[1] - apart.interval[0]
