from __future__ import annotations

import math

import numpy as np
import pytest

from annotation.agreement import columns_of
from annotation.quality import Evidence, consensus_credits, outlier_tests
from annotation.quality.outliers import FRACTIONS

REQUIRED, CHANCE = 0.65, 0.4


def simulated(agreement: float, *, num_annotators: int = 1000, num_judgments: int = 300, seed: int = 0) -> list[str]:
    """Verdicts on annotators who agree so often, looked at after every judgment."""
    rng = np.random.default_rng(seed)
    annotators = np.repeat(np.arange(num_annotators), num_judgments)
    credits = (rng.random(len(annotators)) < agreement).astype(float)
    times = np.arange(len(annotators))
    tests = outlier_tests(annotators, times, credits, required=REQUIRED, chance=CHANCE, alpha=0.05)
    return [test.verdict for test in tests]


def test_somebody_just_good_enough_is_paused_no_more_often_than_alpha_however_often_one_looks() -> None:
    assert np.mean([verdict == "pause" for verdict in simulated(REQUIRED)]) < 0.05


def test_somebody_who_guesses_is_paused_nearly_always_and_hardly_ever_cleared() -> None:
    verdicts = simulated(CHANCE)
    assert np.mean([verdict == "pause" for verdict in verdicts]) > 0.99
    assert simulated(CHANCE, num_judgments=20).count("clear") / 1000 < 0.05


def test_good_annotators_are_cleared() -> None:
    verdicts = simulated(0.8)
    assert np.mean([verdict == "clear" for verdict in verdicts]) > 0.99


def test_hard_items_in_a_row_pause_nobody_who_is_as_good_as_the_others() -> None:
    # On the first 200 items everybody guesses; on the rest all are right in 85 %, but annotator 0 in 30 %.
    rng, num_items, num_annotators = np.random.default_rng(0), 1000, 40
    annotators = rng.random((num_items, num_annotators)).argsort(axis=1)[:, :5]
    skill = np.where(np.arange(num_annotators) == 0, 0.3, 0.85)[annotators]
    skill[:200] = 0
    truth, guesses = rng.integers(-1, 2, size=(num_items, 1)), rng.integers(-1, 2, size=annotators.shape)
    values = np.where(rng.random(annotators.shape) < skill, truth, guesses)
    columns = columns_of(np.repeat(np.arange(num_items), 5), annotators.ravel(), values.ravel())
    credits = consensus_credits(columns)
    plain = outlier_tests(credits.annotators_J, credits.comparisons_J, credits.credits_J, required=0.65, chance=0.4)
    tested = credits.relative()
    relative = outlier_tests(credits.annotators_J, credits.comparisons_J, tested, required=0.48, chance=0.3)
    assert sum(test.verdict == "pause" for test in plain) > 3
    assert [test.annotator for test in relative if test.verdict == "pause"] == [0]


def test_the_wealth_by_hand() -> None:
    # One miss: each bet f is multiplied by 1 + f/(1 - 0.6) · 0.6 = 1 + 1.5 f; the fractions 0.05 … 0.95 average to 0.5.
    evidence = Evidence(required=0.6, chance=0.25).after([0.0])
    assert math.exp(evidence.most_against_required) == pytest.approx(1.75)
    assert evidence.p_value == pytest.approx(1 / 1.75)
    # Then one hit: 1 - f. The mean of (1 + 1.5 f)(1 - f) is less than 1.75, which stays the largest.
    later = evidence.after([1.0])
    wealth = np.mean([(1 + 1.5 * f) * (1 - f) for f in FRACTIONS])
    assert np.mean(np.exp(later.against_required)) == pytest.approx(wealth)
    assert later.p_value == evidence.p_value
    # Against chance: a miss multiplies by 1 - f, a hit by 1 + f/0.25 · 0.75 = 1 + 3 f.
    assert np.mean(np.exp(later.against_chance)) == pytest.approx(np.mean([(1 - f) * (1 + 3 * f) for f in FRACTIONS]))


def test_the_state_carries_on_where_it_stopped() -> None:
    credits = (np.random.default_rng(0).random(60) < 0.5).astype(float)
    start = Evidence(required=REQUIRED, chance=CHANCE)
    at_once, in_parts = start.after(credits), start.after(credits[:17]).after([]).after(credits[17:])
    assert in_parts.n == 60
    assert in_parts.against_required == pytest.approx(at_once.against_required)
    assert in_parts.most_against_required == pytest.approx(at_once.most_against_required)


def test_the_pause_comes_at_the_judgment_that_completes_the_evidence() -> None:
    times = np.arange(40)[::-1]
    [test] = outlier_tests(["bob"] * 40, times, [1.0] * 20 + [0.0] * 20, required=REQUIRED, chance=CHANCE)
    start = Evidence(required=REQUIRED, chance=CHANCE)
    assert test.num_until_pause is not None
    assert start.after([0.0] * test.num_until_pause).verdict() == "pause"
    assert start.after([0.0] * (test.num_until_pause - 1)).verdict() == "open"
    assert (test.verdict, test.mean) == ("pause", 0.5)  # evidence that once sufficed is not taken back


def test_parts_of_an_agreement_count_in_part() -> None:
    half = Evidence(required=0.6, chance=0.25).after([0.5])
    assert np.exp(half.against_required) == pytest.approx([1 + f / 0.4 * 0.1 for f in FRACTIONS])


@pytest.mark.parametrize(("required", "chance"), [(0.5, 0.5), (0.4, 0.6), (1.0, 0.5), (0.5, 0.0)])
def test_claims_that_cannot_be_told_apart_are_refused(required: float, chance: float) -> None:
    with pytest.raises(ValueError, match="0 < chance < required < 1"):
        Evidence(required=required, chance=chance)


@pytest.mark.parametrize("credit", [-0.1, 1.1, math.nan])
def test_a_credit_outside_0_to_1_is_refused(credit: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Evidence(required=0.6, chance=0.4).after([credit])
