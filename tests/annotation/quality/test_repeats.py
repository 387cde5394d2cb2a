from __future__ import annotations

import pytest

from annotation.quality import self_consistency


def test_repeats_by_hand() -> None:
    # Same; a tie turned into a preference; turned round with left taken twice; turned round with right taken twice.
    [row] = self_consistency(
        ["bob"] * 4, [1, 0, 1, 1], [1, 1, -1, -1], [True, True, True, False], [False, False, False, True]
    )
    assert (row.same.value, row.same.n) == (0.25, 4)
    assert (row.contradicted.value, row.contradicted.n) == pytest.approx((2 / 3, 3))
    assert (row.left_twice.value, row.left_twice.n) == (0.5, 2)


def test_who_always_takes_the_left_side_contradicts_every_swapped_repeat() -> None:
    is_left = [True, False] * 10
    first = [1 if left else -1 for left in is_left]
    [row] = self_consistency([1] * 20, first, [-value for value in first], is_left, [not left for left in is_left])
    assert (row.same.value, row.contradicted.value, row.left_twice.value) == (0, 1, 1)
    assert row.kappa.value == -1


def test_repeats_with_the_same_sides_say_nothing_about_sides() -> None:
    [row] = self_consistency([1], [1], [-1], [True], [True])
    assert row.contradicted.value == 1
    assert (row.left_twice.value, row.left_twice.reason) == (None, "no swapped repeat was contradicted")


def test_who_repeated_only_ties_has_no_contradictions() -> None:
    [row] = self_consistency([1], [0], [0], [True], [False])
    assert row.same.value == 1
    assert "strict preference both times" in (row.contradicted.reason or "")
