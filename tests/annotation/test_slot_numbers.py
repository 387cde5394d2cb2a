"""Annotators see slots under numbers that say nothing about their order."""

import itertools

from annotation import slot_numbers


def test_a_number_leads_back_to_its_slot() -> None:
    for pk in (1, 2, 3, 1_000, 2**24 - 1, 2**24, 2**40 + 7, slot_numbers.LARGEST):
        assert slot_numbers.pk_of(slot_numbers.shown(pk)) == pk


def test_neighbours_are_far_apart_and_in_no_order() -> None:
    numbers = [slot_numbers.shown(pk) for pk in range(1, 2001)]

    assert len(set(numbers)) == 2000
    assert max(numbers) <= slot_numbers.LARGEST < 2**53
    rises = sum(one < other for one, other in itertools.pairwise(numbers))
    assert 900 < rises < 1100  # a coin's tosses would be outside once in 100,000 installations


def test_a_number_that_was_never_shown_is_of_no_slot() -> None:
    assert slot_numbers.pk_of(-1) == slot_numbers.pk_of(slot_numbers.LARGEST + 1) == 0
