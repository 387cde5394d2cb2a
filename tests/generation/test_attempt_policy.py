from __future__ import annotations

import pytest

from generation.attempt_policy import AttemptPolicy


@pytest.mark.parametrize(
    ("kind", "num_attempts", "gives_up"),
    [
        ("MalformedReply", 1, False),
        ("MalformedReply", 2, False),
        ("MalformedReply", 3, True),
        ("EndpointOverloaded", 2, False),
        ("ContextOverflow", 1, True),
        ("ContextOverflow", 0, False),  # somebody asked to try it again
        ("url-refused", 1, True),
    ],
)
def test_what_may_pass_is_tried_three_times_and_all_else_once(kind: str, num_attempts: int, gives_up: bool) -> None:
    assert AttemptPolicy().gives_up(kind, num_attempts) is gives_up


def test_delays_grow_fourfold_up_to_their_limit() -> None:
    assert [AttemptPolicy().delay(attempt) for attempt in (1, 2, 3, 4, 5)] == [5, 20, 80, 300, 300]
