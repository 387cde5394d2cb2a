"""Numbers and values as templates show them."""

import math
from datetime import timedelta

import pytest

from frontend.templatetags.numbers import decimal, duration, elapsed, interval_bar, percent, share
from frontend.templatetags.texts import last_turn, plainly, short_hash
from tests.factory import STARTED_AT


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (8.42, "8.4 s"), (120, "2 min"), (125, "2 min 05 s"), (11520, "3 h 12 min")],
)
def test_durations_are_as_long_as_needed(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_undefined_numbers_are_dashes_and_never_nan() -> None:
    assert percent(None) == decimal(None) == percent(math.nan) == decimal(math.nan) == share(0, 0) == "–"


def test_numbers_have_fixed_digits_and_a_real_minus() -> None:
    assert percent(0.6134) == "61.3 %"
    assert decimal(-0.5) == "−0.500"
    assert share(3, 8) == "38 %"
    assert elapsed(STARTED_AT, STARTED_AT + timedelta(seconds=90)) == "1 min 30 s"


@pytest.mark.parametrize(("low", "high", "side"), [(0.52, 0.7, "above"), (0.3, 0.48, "below"), (0.45, 0.6, "around")])
def test_an_interval_bar_says_on_which_side_of_chance_it_lies(low: float, high: float, side: str) -> None:
    bar = interval_bar((low + high) / 2, low, high)

    assert bar["side"] == side
    assert bar["left"] == pytest.approx(160 * low)
    assert bar["length"] == pytest.approx(160 * (high - low))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "–"),
        ("", "–"),
        (3e-4, "0.0003"),
        (7, "7"),
        ("word", "word"),
        ([], "–"),
        ([1, True], "1, yes"),
        ({"held_out": 3}, "held out 3"),
    ],
)
def test_values_of_a_configuration_are_shown_in_plain_words(value: object, text: str) -> None:
    assert plainly(value) == text


def test_hashes_are_short_and_a_conversation_ends_with_its_last_turn() -> None:
    assert short_hash("0123456789abcdef") == "0123456789ab…"
    assert short_hash("") == "–"
    assert last_turn([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]) == "b"
    assert last_turn([]) == ""
