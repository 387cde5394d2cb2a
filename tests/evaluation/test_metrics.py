from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics import LOSS, TIE, WIN, accuracy, fold_orders, mean_margin, num_flips, win_rate


def test_a_tie_counts_half_and_is_reported() -> None:
    score = win_rate([WIN, TIE, LOSS, TIE], ["a", "b", "c", "d"])
    assert (score.value, score.n, score.num_prompts, score.ties) == (0.5, 4, 4, 2)


def test_both_orders_fold_into_one_outcome() -> None:
    # won twice, won by the side only, tied once, lost twice
    folded = fold_orders([WIN, WIN, WIN, LOSS], [WIN, LOSS, TIE, LOSS])
    assert folded.tolist() == [1.0, 0.5, 0.75, 0.0]


def test_a_judge_that_follows_the_side_gets_a_win_rate_of_one_half() -> None:
    score = win_rate(fold_orders([WIN] * 20, [LOSS] * 20), range(20))
    assert (score.value, score.interval, score.ties) == (0.5, (0.5, 0.5), 20)


def test_flips_are_counted_and_near_ties_are_not() -> None:
    assert num_flips([WIN, WIN, TIE, LOSS], [LOSS, TIE, TIE, WIN]) == 2


def test_one_order_without_the_other_is_refused() -> None:
    with pytest.raises(ValueError, match="both orders"):
        fold_orders([WIN], [WIN, LOSS])


def test_the_interval_of_independent_prompts_is_the_binomial_one() -> None:
    # 400 prompts, 240 won: standard error sqrt(.6 · .4 / 400) = 0.0245.
    low, high = win_rate([WIN] * 240 + [LOSS] * 160, range(400), num_resamples=5000).interval or (0, 0)
    assert low == pytest.approx(0.6 - 1.96 * 0.0245, abs=0.006)
    assert high == pytest.approx(0.6 + 1.96 * 0.0245, abs=0.006)


def test_repeats_of_a_prompt_do_not_narrow_the_interval() -> None:
    outcomes = [WIN] * 30 + [LOSS] * 20
    once = win_rate(outcomes, range(50))
    repeated = win_rate(np.repeat(outcomes, 8), np.repeat(np.arange(50), 8).tolist())
    assert repeated.n == 400
    assert repeated.num_prompts == once.num_prompts == 50
    assert repeated.interval == once.interval


def test_prompts_with_more_comparisons_weigh_more() -> None:
    assert win_rate([WIN, WIN, WIN, LOSS], ["a", "a", "a", "b"]).value == 0.75


def test_the_same_seed_gives_the_same_interval() -> None:
    outcomes, prompts = [WIN, LOSS, TIE, WIN, WIN] * 7, range(35)
    assert win_rate(outcomes, prompts, seed=1) == win_rate(outcomes, prompts, seed=1)
    assert win_rate(outcomes, prompts, seed=1) != win_rate(outcomes, prompts, seed=2)


def test_the_interval_does_not_depend_on_how_much_is_resampled_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, prompts = [WIN, LOSS, TIE, WIN, WIN] * 7, range(35)
    whole = win_rate(outcomes, prompts).interval
    monkeypatch.setattr("evaluation.metrics._CHUNK_CELLS", 100)
    assert win_rate(outcomes, prompts).interval == whole


def test_an_interval_excludes_what_lies_outside_of_it() -> None:
    score = win_rate([WIN] * 90 + [LOSS] * 10, range(100))
    assert score.excludes(0.5)
    assert not score.excludes(0.9)


def test_a_margin_of_zero_is_half_right() -> None:
    score = accuracy([2.0, -1.0, 0.0, 0.1], ["a", "b", "c", "d"])
    assert (score.value, score.ties, score.n) == (0.625, 1, 4)


def test_the_mean_margin_keeps_the_units_of_the_scores() -> None:
    score = mean_margin([2.0, -1.0, 0.0, 3.0], ["a", "b", "c", "d"])
    assert (score.value, score.ties) == (1.0, 1)
    assert score.interval is not None
    assert -1.0 <= score.interval[0] < 1.0 < score.interval[1] <= 3.0


def test_nothing_compared_is_undefined_and_says_so() -> None:
    score = win_rate([], [])
    assert (score.value, score.interval, score.n, score.reason) == (None, None, 0, "nothing was compared")
    assert not score.excludes(0.5)


def test_one_prompt_has_a_value_but_no_interval() -> None:
    score = accuracy([1.0, -1.0], ["a", "a"])
    assert (score.value, score.interval) == (0.5, None)
    assert "two prompts" in (score.reason or "")


@pytest.mark.parametrize("outcome", [-0.5, 1.5])
def test_an_outcome_outside_0_to_1_is_refused(outcome: float) -> None:
    with pytest.raises(ValueError, match="outcomes must lie"):
        win_rate([outcome], ["a"])


@pytest.mark.parametrize("margin", [float("nan"), float("inf")])
def test_a_margin_that_is_no_number_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="finite numbers, got 1"):
        accuracy([1.0, margin], ["a", "b"])


def test_every_comparison_needs_its_prompt() -> None:
    with pytest.raises(ValueError, match="2 values and 1 prompts"):
        win_rate([WIN, LOSS], ["a"])
