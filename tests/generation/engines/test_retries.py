from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from generation.engines.errors import EndpointOverloaded
from generation.engines.retries import Pause, RetryPolicy, TryAgain, parse_retry_after

POLICY = RetryPolicy(max_attempts=4, first_delay=1.0, max_delay=10.0)


def fail(*, retry_after: float | None = None) -> str:
    raise TryAgain(EndpointOverloaded("busy"), retry_after=retry_after)


def test_the_first_success_is_returned_without_waiting() -> None:
    waits: list[float] = []
    assert POLICY.call(lambda: "done", sleep=waits.append) == "done"
    assert waits == []


def test_after_the_last_attempt_its_own_error_is_raised() -> None:
    waits: list[float] = []
    with pytest.raises(EndpointOverloaded, match="busy"):
        POLICY.call(fail, sleep=waits.append)
    assert len(waits) == 3


def test_the_waits_double_and_are_spread() -> None:
    for attempt, longest in ((1, 1), (2, 2), (3, 4), (4, 8)):
        delays = [POLICY.delay(attempt, None) for _ in range(50)]
        assert all(longest / 2 <= delay <= longest for delay in delays)
        assert len(set(delays)) > 1


def test_a_longer_retry_after_is_kept_to() -> None:
    assert POLICY.delay(1, 7.0) == 7.0
    assert POLICY.delay(1, 100.0) == 100.0
    assert POLICY.delay(3, 0.1) >= 2.0


def test_a_server_that_wants_to_be_left_alone_for_hours_is_given_up_at_once() -> None:
    waits: list[float] = []
    with pytest.raises(EndpointOverloaded, match="busy"):
        POLICY.call(lambda: fail(retry_after=3600.0), sleep=waits.append)
    assert waits == []


def test_a_pause_is_as_long_as_the_longest_that_was_asked_for() -> None:
    pause = Pause()
    assert pause.remaining() == 0.0
    pause.extend(1000.0)
    pause.extend(10.0)
    assert 900.0 < pause.remaining() <= 1000.0


def test_a_policy_without_attempts_is_refused() -> None:
    with pytest.raises(ValueError, match="max_attempts"):
        RetryPolicy(max_attempts=0).call(lambda: 1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("3", 3.0), ("0.5", 0.5), ("-4", 0.0), ("soon", None), ("nan", 0.0)],
)
def test_a_retry_after_of_seconds_is_understood(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header) == seconds


def test_a_retry_after_of_a_date_is_understood() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 50 < (parse_retry_after(in_a_minute) or 0) <= 60
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
