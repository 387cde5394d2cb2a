from __future__ import annotations

from typing import Protocol

import krippendorff
import numpy as np
import pytest
from numpy.typing import NDArray

from annotation.agreement import (
    FIRST_BETTER,
    FIRST_WORSE,
    TIED,
    Agreement,
    Level,
    ValueCounts,
    Weighting,
    count_pairs,
    count_values,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    raw_agreement,
    weight_matrix,
)


class Coefficient(Protocol):
    def __call__(self, data: ValueCounts, *, num_resamples: int = 100, seed: int = 0) -> Agreement: ...


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


# 12 subjects and 4 raters, the example of K. Gwet, "Handbook of Inter-Rater Reliability" (2014); 0: missing.
GWET = [
    [1, 1, 0, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [0, 5, 5, 5],
    [0, 0, 1, 1],
    [0, 0, 3, 0],
]
# Counts of 10 subjects, 14 raters and 5 categories, with kappa 0.210, as encyclopedias print them.
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def gwets_counts() -> ValueCounts:
    rows = [(subject, value) for subject, row in enumerate(GWET) for value in row if value]
    return count_values([subject for subject, _ in rows], [value for _, value in rows])


def test_the_published_coefficients_of_gwets_example() -> None:
    data = gwets_counts()
    assert gwet_ac(data).value == pytest.approx(0.77544, abs=1e-5)
    assert fleiss_kappa(data).value == pytest.approx(0.76117, abs=1e-5)
    assert krippendorff_alpha(data, level="nominal").value == pytest.approx(0.74342, abs=1e-5)


@pytest.mark.parametrize(
    ("weighting", "ac2", "kappa"),
    [("quadratic", 0.91400, 0.86494), ("linear", 0.85874, 0.81794), ("ordinal", 0.89894, 0.85021)],
)
def test_weighted_coefficients_of_gwets_example_equal_irrcac(weighting: Weighting, ac2: float, kappa: float) -> None:
    data = gwets_counts()  # expected: irrCAC 0.4.4 for Python, given the five categories
    assert gwet_ac(data, weighting=weighting).value == pytest.approx(ac2, abs=1e-5)
    assert fleiss_kappa(data, weighting=weighting).value == pytest.approx(kappa, abs=1e-5)


def test_fleiss_kappa_of_an_often_printed_example() -> None:
    # Ten subjects, fourteen raters: observed 0.378, expected 0.213, kappa 0.210.
    assert fleiss_kappa(of_rows(*FLEISS, values=(1, 2, 3, 4, 5))).value == pytest.approx(0.20993, abs=1e-5)


def test_ac1_by_hand() -> None:
    # Values yes/no, three units: (yes, yes), (yes, yes), (yes, no). Observed 2/3; share of yes 5/6, chance
    # 1/(2-1) · (5/6 · 1/6 + 1/6 · 5/6) = 10/36. AC1 = (2/3 - 10/36) / (1 - 10/36) = 14/26.
    assert gwet_ac(of_rows([2, 0], [2, 0], [1, 1])).value == pytest.approx(14 / 26)


def test_a_value_that_nobody_gave_lowers_the_chance_agreement_of_ac1() -> None:
    # As above with a third possible value: chance 1/2 · 10/36 = 5/36, AC1 = (24/36 - 5/36) / (31/36).
    data = of_rows([2, 0, 0], [2, 0, 0], [1, 1, 0], values=(0, 1, 2))
    assert gwet_ac(data).value == pytest.approx(19 / 31)


def test_ac1_stays_high_where_one_value_prevails_and_kappa_falls() -> None:
    data = of_rows(*[[2, 0]] * 96, *[[1, 1]] * 4)  # 96 % agree; kappa is below 0
    ac1, kappa = gwet_ac(data).value, fleiss_kappa(data).value
    assert ac1 is not None
    assert kappa is not None
    assert ac1 > 0.95 > 0 > kappa


def test_units_judged_once_count_in_the_shares_of_fleiss_and_gwet_and_nowhere_else() -> None:
    # Two of three double units agree; five units of a lone yes move the shares, each unit weighing 1/8.
    data = of_rows([2, 0], [0, 2], [1, 1], *[[1, 0]] * 5)
    kappa = fleiss_kappa(data)
    shares = np.array([1 + 0 + 0.5 + 5, 0 + 1 + 0.5]) / 8
    expected = (shares**2).sum()
    assert kappa.value == pytest.approx((2 / 3 - expected) / (1 - expected))
    assert (kappa.n, kappa.num_judgments) == (3, 6)


@pytest.mark.parametrize("coefficient", [fleiss_kappa, gwet_ac])
def test_without_double_judgments_a_chance_corrected_coefficient_says_so(coefficient: Coefficient) -> None:
    assert coefficient(of_rows([1, 0], [0, 1])).reason == "nothing was judged twice"
    assert coefficient(count_values([], [])).reason == "nothing was judged twice"


def test_fleiss_kappa_of_one_value_is_undefined_and_ac1_needs_two_possible_values() -> None:
    assert "the same value" in (fleiss_kappa(of_rows([2, 0], [3, 0])).reason or "")
    assert gwet_ac(of_rows([2, 0], [3, 0])).value == 1
    assert "two possible values" in (gwet_ac(count_values([1, 1], ["yes", "yes"])).reason or "")


@pytest.mark.parametrize("coefficient", [fleiss_kappa, gwet_ac])
def test_the_bootstrap_of_a_coefficient_is_that_of_drawn_comparisons(coefficient: Coefficient) -> None:
    data, rng = random_counts(7, num_units=80), np.random.default_rng(1)
    drawn = [coefficient(of_units(data, rng.integers(80, size=80)), num_resamples=1).value for _ in range(600)]
    low, high = coefficient(data, num_resamples=4000).interval or (0, 0)
    expected = np.quantile([value for value in drawn if value is not None], [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(expected), abs=0.03)


def of_units(data: ValueCounts, units: NDArray[np.int64]) -> ValueCounts:
    return ValueCounts(counts_UV=data.counts_UV[units], values=data.values, groups_U=np.arange(len(units)))


def test_very_many_different_comparisons_are_resampled_from_the_normal_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_counts(3, num_units=2000, num_values=3)
    exact = krippendorff_alpha(data, level="nominal", num_resamples=4000).interval
    monkeypatch.setattr("annotation.agreement.intervals._MANY_DISTINCT", 1)
    monkeypatch.setattr("annotation.agreement.intervals._MANY_COMPARISONS", 1)
    assert exact is not None
    assert krippendorff_alpha(data, level="nominal", num_resamples=4000).interval == pytest.approx(exact, abs=0.004)


def test_many_values_are_counted_without_a_table_of_them() -> None:
    rng = np.random.default_rng(0)
    units, values = np.repeat(np.arange(300), 3), rng.integers(0, 101, size=900)
    data = count_values(units, values, domain=range(101))
    expected = krippendorff.alpha(
        value_counts=data.counts_UV, value_domain=list(range(101)), level_of_measurement="interval"
    )
    assert krippendorff_alpha(data, level="interval").value == pytest.approx(expected, abs=1e-12)


def test_a_value_outside_the_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="the value 9 is not one of"):
        count_values([1, 1], [3, 9], domain=[1, 2, 3])


def test_an_unknown_weighting_is_refused() -> None:
    with pytest.raises(ValueError, match="weighting must be one of"):
        gwet_ac(of_rows([2, 0], [1, 1]), weighting="cubic")  # type: ignore[arg-type]


def test_weights_by_hand() -> None:
    assert weight_matrix("linear", (0, 1, 3))[0].tolist() == pytest.approx([1, 2 / 3, 0])
    assert weight_matrix("quadratic", (0, 1, 3))[0].tolist() == pytest.approx([1, 8 / 9, 0])
    # Ordinal: 1 - (steps + 1 over 2) / (values over 2): 1 - 1/3, 1 - 3/3.
    assert weight_matrix("ordinal", ("a", "b", "c"))[0].tolist() == pytest.approx([1, 2 / 3, 0])
