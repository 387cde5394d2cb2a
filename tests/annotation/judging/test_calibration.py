from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from annotation.agreement import Agreement, columns_of, count_columns, raw_agreement
from annotation.judging.calibration import (
    agreement_with_people,
    cost_per_1000,
    flip_rates,
    num_list_items,
    place_bias,
    position_bias,
    reliability,
    sign_of_own_family,
    trait_preference,
    version_drift,
)
from annotation.judging.calibration.clusters import clustered_share
from annotation.quality import Share, share

NAN = float("nan")


def kappa(first: Sequence[int], second: Sequence[int]) -> float:
    """Cohen's, by its definition."""
    one, two = np.asarray(first), np.asarray(second)
    by_chance = sum(float((one == value).mean() * (two == value).mean()) for value in (-1, 0, 1))
    return (float((one == two).mean()) - by_chance) / (1 - by_chance)


# Comparison 1: people say 1, 1, 0, the judge 1. Comparison 2: -1, 1, the judge -1. Comparison 3: one person says 0.
COMPARISONS = [1, 1, 1, 2, 2, 3]
VALUES = [1, 1, 0, -1, 1, 0]


def test_pairs_of_judgments_are_counted_by_hand() -> None:
    found = agreement_with_people(
        COMPARISONS, VALUES, judge_comparisons=[1, 2, 3], judge_values=[1, -1, 1], longer=[1, 1, 0]
    )
    # judge: 2 of 3, 1 of 2, 0 of 1; people: 1 of 3 pairs, 0 of 1; longer: 2 of 3, 1 of 2, 1 of 1
    assert found.judge.raw.value == pytest.approx(3 / 6)
    assert found.people.raw.value == pytest.approx(1 / 4)
    assert found.longer is not None
    assert found.longer.raw.value == pytest.approx(4 / 6)
    # strict on both sides: judge 2 of 2 and 1 of 2; people 1 of 1 and 0 of 1
    assert found.judge.without_ties.value == pytest.approx(3 / 4)
    assert found.people.without_ties.value == pytest.approx(1 / 2)
    # only comparisons that two people judged: judge 3 of 5, people 1 of 4
    assert found.judge_minus_people.value == pytest.approx(3 / 5 - 1 / 4)
    assert (found.num_comparisons, found.num_judgments) == (3, 6)


def test_the_consensus_leaves_out_the_person_and_splits_level_answers() -> None:
    found = agreement_with_people(COMPARISONS, VALUES, judge_comparisons=[1, 2, 3], judge_values=[1, -1, 1])
    # others of comparison 1: {1, 0}, {1, 0}, {1, 1}; of comparison 2: {1}, {-1}; of comparison 3: nobody
    assert found.people.with_consensus.value == pytest.approx((0.5 + 0.5 + 0 + 0 + 0) / 5)
    assert found.judge.with_consensus.value == pytest.approx((0.5 + 0.5 + 1 + 0 + 1) / 5)
    assert found.judge.with_consensus.n == 5


def test_peoples_agreement_is_that_of_the_agreement_package() -> None:
    rng = np.random.default_rng(0)
    comparisons = np.repeat(np.arange(50), 3)
    values = rng.integers(-1, 2, size=150)
    found = agreement_with_people(
        comparisons, values, judge_comparisons=range(50), judge_values=rng.integers(-1, 2, 50)
    )
    columns = columns_of(comparisons, np.tile([1, 2, 3], 50), values, domain=(-1, 0, 1))
    assert found.people.raw.value == pytest.approx(raw_agreement(count_columns(columns)).value)


def test_kappa_with_one_person_is_cohens() -> None:
    rng = np.random.default_rng(1)
    people, judge = rng.integers(-1, 2, size=80), rng.integers(-1, 2, size=80)
    found = agreement_with_people(np.arange(80), people, judge_comparisons=np.arange(80), judge_values=judge)
    assert found.judge.kappa.value == pytest.approx(kappa(judge.tolist(), people.tolist()))
    assert found.people.raw.value is None
    assert found.people.raw.reason == "nothing was judged twice"
    assert found.judge_minus_people.reason == "no comparison was judged by two people"


def test_a_judge_that_copies_people_agrees_fully() -> None:
    found = agreement_with_people([1, 2, 3], [1, 0, -1], judge_comparisons=[3, 2, 1], judge_values=[-1, 0, 1])
    assert [getattr(found.judge, name).value for name in ("raw", "kappa", "alpha", "ac1")] == pytest.approx([1] * 4)


def test_strengths_count_by_their_sign_and_missing_verdicts_not_at_all() -> None:
    found = agreement_with_people([1, 2, 9], [3, -2, 1], judge_comparisons=[1, 2, 4], judge_values=[1, NAN, 1])
    assert (found.num_comparisons, found.judge.raw.value) == (1, 1.0)
    assert found.judge.raw.reason is not None  # one comparison has no interval


def test_nothing_in_common_has_reasons_and_no_figures() -> None:
    found = agreement_with_people([1], [1], judge_comparisons=[2], judge_values=[1])
    for rater in (found.judge, found.people):
        for name in ("raw", "without_ties", "kappa", "alpha", "ac1", "with_consensus"):
            assert getattr(rater, name).value is None
            assert getattr(rater, name).reason
    assert found.judge_minus_people.reason == "nobody judged what the judge judged"


def test_a_judge_with_two_values_for_a_comparison_is_refused() -> None:
    with pytest.raises(ValueError, match="one value for each comparison"):
        agreement_with_people([1], [1], judge_comparisons=[1, 1], judge_values=[1, 0])


def test_flips_are_counted() -> None:
    found = flip_rates([1, 1, -1, 0, 1, NAN], [1, -1, 1, 1, 0, 1], [True, True, True, True, True, True])
    assert [found.disagreeing.value, found.disagreeing.n] == pytest.approx([4 / 5, 5])
    assert [found.reversed.value, found.reversed.n] == pytest.approx([2 / 3, 3])
    # reversed: completion 0 left and preferred (first place), completion 0 left and not preferred (second place)
    assert found.first_place_twice.value == pytest.approx(1 / 2)
    assert flip_rates([1.0], [NAN], [True]).disagreeing.reason == "no comparison was judged in two orders"
    assert flip_rates([0], [1], [True]).reversed.reason == "no comparison got a strict preference in both orders"


def test_position_bias_counts_the_side_that_was_shown_first() -> None:
    found = position_bias([1, -1, 1, 0, NAN], [True, False, False, True, True])
    assert [found.value, found.n] == pytest.approx([2 / 3, 3])
    assert position_bias([0], [True]).reason == "no strict preference was given"
    paired = position_bias([1, -1] * 20, [True, False] * 20, prompts=np.repeat(range(20), 2))
    single = position_bias([1, -1] * 20, [True, False] * 20)
    assert paired.interval is not None
    assert single.interval is not None
    assert paired.interval[0] < single.interval[0]  # two orders of a pair are not two pairs


def test_a_trait_is_held_against_people_on_the_same_comparisons() -> None:
    found = trait_preference(
        [1, 1, 2, 3, 4, 5, 99],
        [1, -1, 1, -1, 1, 1, 1],
        judge_comparisons=[1, 2, 3, 4, 5],
        judge_values=[1, 1, 1, -1, 0],
        judge_trait=[1, 1, 1, 0, 1],
    )
    assert (found.judge.value, found.judge.n) == (1.0, 3)  # comparisons 1–3; 4 is as long, 5 a tie
    assert (found.people.value, found.people.n) == (0.5, 4)  # 1, -1 | 1 | -1
    assert found.difference.value == pytest.approx(0.5)
    assert (found.agrees_if_people_do.value, found.agrees_if_people_do_not.value) == (1.0, 0.0)


@pytest.mark.parametrize("judged", [[], [1]])
def test_a_trait_that_nobody_has_is_explained(judged: list[int]) -> None:
    found = trait_preference(
        [1], [1], judge_comparisons=judged, judge_values=[1] * len(judged), judge_trait=[0] * len(judged)
    )
    figures = (found.judge, found.people, found.difference, found.agrees_if_people_do, found.agrees_if_people_do_not)
    assert all(figure.value is None and figure.reason for figure in figures)


def test_only_a_reply_that_alone_is_of_the_own_family_counts() -> None:
    assert sign_of_own_family(["x", "y", "x", "z"], ["y", "x", "x", "y"], "x").tolist() == [1, -1, 0, 0]


@pytest.mark.parametrize(
    ("text", "num"),
    [("- a\n- b\n", 2), ("1. a\n2) b\n  * c", 3), ("a - b\n-c\n3.5 is", 0), ("", 0), ("• a", 1)],
)
def test_items_of_lists_are_counted(text: str, num: int) -> None:
    assert num_list_items(text) == num


def test_the_place_of_the_best_of_a_list_is_counted() -> None:
    found = place_bias([(0, 1, 2), (2, 1, 0)], [[[0], [1], [2]], [[2, 1], [0]]])
    assert not isinstance(found, str)
    # first ranks: place 0 once and a half, place 1 a half
    assert [share.value for share in found.first_rank] == [0.75, 0.25, 0.0]
    assert found.mean_rank == (0.25, 0.75, 2.0)
    assert place_bias([], []) == "no list was ranked"
    with pytest.raises(ValueError, match="one order of 2"):
        place_bias([(0, 1), (0, 1, 2)], [[[0], [1]], [[0], [1], [2]]])


def test_brier_and_calibration_error_by_hand() -> None:
    found = reliability([0.9, 0.9, 0.2, NAN], [1, 0, 0, 1], num_bins=5)
    assert found.brier.value == pytest.approx((0.01 + 0.81 + 0.04) / 3)
    # bins of .9 and .2: |1.8 - 1| and |.2 - 0| over 3
    assert found.ece.value == pytest.approx((0.8 + 0.2) / 3)
    assert found.brier_of_constant == pytest.approx(2 / 9)
    assert [row.outcome.n for row in found.rows] == [0, 1, 0, 0, 2]
    assert found.rows[0].outcome.reason == "no soft label lies here"
    assert found.rows[4].mean_label == pytest.approx(0.9)


def test_reliable_labels_are_found_reliable_and_overconfident_ones_not() -> None:
    rng = np.random.default_rng(2)
    labels = rng.random(4000)
    outcomes = (rng.random(4000) < labels).astype(float)
    found = reliability(labels, outcomes)
    assert found.brier.value == pytest.approx(float(((labels - outcomes) ** 2).mean()))
    assert found.ece.value is not None
    assert found.ece.value < 0.03
    overconfident = reliability(np.round(labels), outcomes)
    assert overconfident.ece.value == pytest.approx(0.25, abs=0.03)  # the mean of min(p, 1 - p) is a quarter


def test_no_soft_labels_are_explained_and_impossible_ones_refused() -> None:
    assert reliability([], []).ece.reason == "no comparison has both a soft label and people's answer"
    with pytest.raises(ValueError, match="0–1"):
        reliability([1.2], [1])


def test_cost_counts_every_call_and_is_not_guessed() -> None:
    assert cost_per_1000([0.01, 0.02, 0.0], 2).per_1000 == pytest.approx(15)
    assert "1 of 2 calls is not known" in str(cost_per_1000([0.01, NAN], 2).reason)
    assert cost_per_1000([], 0).reason == "no judgment was made"


def test_drift_between_versions_by_hand() -> None:
    found = version_drift([1, 1, 0, -1, NAN], [1, -1, 0, 1, 1], [1, -1, 0, -1, 1])
    assert (found.same.value, found.same.n) == (0.5, 4)
    assert found.reversed.value == pytest.approx(2 / 3)
    assert found.change.value == pytest.approx(0)  # one won, one lost
    assert found.kappa.value == pytest.approx(kappa([1, 1, 0, -1], [1, -1, 0, 1]))
    nothing = version_drift([1], [NAN])
    assert all(figure.reason for figure in (nothing.same, nothing.kappa, nothing.reversed, nothing.change))


# Prompts are resampled as a whole


def width(figure: Agreement | Share) -> float:
    assert figure.interval is not None
    return figure.interval[1] - figure.interval[0]


def test_comparisons_that_share_prompts_give_wider_intervals() -> None:
    # 20 prompts with 6 comparisons each (or one ranking of four); the judge is right on all of a prompt or on none.
    names, prompts = np.arange(120), np.repeat(np.arange(20), 6)
    judge = np.where(prompts % 4 == 0, -1.0, 1.0)
    people = np.ones(120)
    alone = agreement_with_people(names, people, judge_comparisons=names, judge_values=judge)
    shared = agreement_with_people(names, people, judge_comparisons=names, judge_values=judge, prompts=prompts)
    assert alone.judge.raw.value == shared.judge.raw.value == 0.75
    assert width(shared.judge.raw) == pytest.approx(6**0.5 * width(alone.judge.raw), rel=0.1)
    assert (alone.judge.raw.n, shared.judge.raw.n) == (120, 20)


def test_a_share_of_whole_prompts_counts_each_prompt_once_and_a_mixed_one_more() -> None:
    prompts = np.repeat(np.arange(20), 6)
    whole = clustered_share(prompts % 4 == 0, prompts, nothing="")
    once = share(5, 20, nothing="")
    # Kish: 6 equal values a prompt are worth 1; the sample variance of 20 prompts takes 19/20 off.
    assert width(whole) == pytest.approx(width(share(4.75, 19, nothing="")), rel=1e-6)
    assert width(whole) == pytest.approx(width(once), rel=0.05)
    mixed = clustered_share(np.tile([1, 0, 0, 0, 0, 0], 20), prompts, nothing="")
    assert width(mixed) == pytest.approx(width(share(20, 120, nothing="")))


def test_equal_values_everywhere_count_prompts_and_not_rows() -> None:
    assert clustered_share(np.ones(120), np.repeat(np.arange(20), 6), nothing="") == Share(
        value=1.0, interval=share(20, 20, nothing="").interval, n=120
    )


def test_every_bias_takes_prompts_as_a_whole() -> None:
    names, prompts = np.arange(120), np.repeat(np.arange(20), 6)
    values = np.where(prompts % 4 == 0, -1.0, 1.0)
    lefts = np.ones(120, dtype=bool)
    longer = np.ones(120)
    pairs = [
        (position_bias(values, lefts), position_bias(values, lefts, prompts=prompts)),
        *zip(
            _figures(names, values, longer, lefts, None), _figures(names, values, longer, lefts, prompts), strict=True
        ),
    ]
    for alone, shared in pairs:
        assert shared.value == pytest.approx(alone.value)
        assert width(shared) > 1.5 * width(alone)


def _figures(names: Any, values: Any, longer: Any, lefts: Any, prompts: Any) -> list[Agreement | Share]:
    traits = trait_preference(
        names, np.ones(120), judge_comparisons=names, judge_values=values, judge_trait=longer, prompts=prompts
    )
    drift = version_drift(np.ones(120), values, np.ones(120), prompts=prompts)
    labels = reliability(np.full(120, 0.9), (values + 1) / 2, prompts=prompts)
    flips = flip_rates(np.ones(120), values, lefts, prompts=prompts)
    return [traits.judge, traits.difference, drift.same, drift.change, labels.brier, flips.disagreeing]
