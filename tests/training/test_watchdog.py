"""A watchdog asks for events, not for a living process."""

from __future__ import annotations

from training.watchdog import PATIENCE, Watchdog


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_silence_longer_than_the_floor_is_a_stall() -> None:
    clock = Clock()
    dog = Watchdog(floor_seconds=60.0, clock=clock)
    clock.seconds = 60.0
    assert not dog.is_stalled
    clock.seconds = 61.0
    assert dog.is_stalled


def test_an_event_ends_the_silence() -> None:
    clock = Clock()
    dog = Watchdog(floor_seconds=60.0, clock=clock)
    clock.seconds = 50.0
    dog.heard()
    clock.seconds = 105.0
    assert (dog.silence, dog.is_stalled) == (55.0, False)


def test_slow_steps_make_patient() -> None:
    clock = Clock()
    dog = Watchdog(floor_seconds=60.0, clock=clock)
    for seconds in (5.0, 105.0, 110.0):  # the longest pause between two events is 100 s
        clock.seconds = seconds
        dog.heard()
    assert dog.limit == PATIENCE * 100.0
    clock.seconds = 110.0 + 999.0
    assert not dog.is_stalled
    clock.seconds = 110.0 + 1001.0
    assert dog.is_stalled


def test_the_time_that_starting_takes_says_nothing_about_steps() -> None:
    clock = Clock()
    dog = Watchdog(floor_seconds=60.0, clock=clock)
    clock.seconds = 55.0
    dog.heard()
    assert dog.limit == 60.0
