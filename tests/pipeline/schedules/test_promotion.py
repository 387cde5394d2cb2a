"""The decision, on figures whose outcome can be said beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.schedules.promotion import Figures, decide, points


def verdict(win_rate: float, low: float, high: float, num_prompts: int = 100, **wanted: Any) -> tuple[bool, str]:
    figures = Figures(win_rate=win_rate, low=low, high=high, num_prompts=num_prompts)
    said = decide(figures, **{"min_margin": 0.0, "min_prompts": 30, **wanted})
    return said.is_better, said.words


def test_a_margin_whose_interval_lies_above_zero_is_better_and_the_words_have_the_figures() -> None:
    is_better, words = verdict(0.562, 0.51, 0.614)
    assert is_better
    assert "won 56.2 %, a margin of +6.2 points (95 % interval +1.0 to +11.4), on 100 prompts" in words
    assert "excludes zero" in words


@pytest.mark.parametrize(
    ("figures", "why"),
    [
        ((0.56, 0.49, 0.63), "includes zero"),
        ((0.56, 0.5, 0.62), "includes zero"),  # touching is not excluding
        ((0.5, 0.5, 0.5), "includes zero"),
        ((0.4, 0.3, 0.49), "it is worse"),
        ((0.47, 0.40, 0.54), "includes zero"),
        ((1.0, 1.0, 1.0, 29), "too few to decide, this schedule asks for 30"),
    ],
)
def test_what_has_not_shown_that_it_is_better_is_not_taken(figures: tuple[Any, ...], why: str) -> None:
    is_better, words = verdict(*figures)
    assert not is_better
    assert why in words


def test_a_small_margin_is_not_enough_where_more_is_asked_for() -> None:
    assert not verdict(0.54, 0.51, 0.57, min_margin=0.05)[0]
    assert "better, but by less than the 5 points" in verdict(0.54, 0.51, 0.57, min_margin=0.05)[1]
    assert verdict(0.55, 0.51, 0.59, min_margin=0.05)[0]


def test_a_margin_that_is_exactly_what_is_asked_for_is_enough_whatever_floats_make_of_it() -> None:
    assert 0.6 - 0.5 < 0.1
    assert verdict(0.6, 0.55, 0.65, min_margin=0.1)[0]


def test_points_have_a_sign_unless_they_round_to_nothing() -> None:
    assert [points(value) for value in (0.062, -0.117, 0.0, -0.0001)] == ["+6.2", "−11.7", "0.0", "0.0"]
