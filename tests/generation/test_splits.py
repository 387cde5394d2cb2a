from __future__ import annotations

import hashlib

import pytest

from generation.splits import fingerprint, split_of

HELLO = [{"role": "user", "content": "Grüße"}]


def test_a_fingerprint_is_the_hash_of_canonical_json() -> None:
    expected = hashlib.sha256('[{"content":"Grüße","role":"user"}]'.encode()).hexdigest()
    assert fingerprint(HELLO) == expected


def test_the_order_of_keys_does_not_matter_but_the_order_of_turns_does() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert fingerprint([{"content": "Grüße", "role": "user"}]) == fingerprint(HELLO)
    assert fingerprint(turns) != fingerprint(turns[::-1])


def test_a_lone_surrogate_has_a_fingerprint() -> None:
    assert len(fingerprint([{"role": "user", "content": "\ud800"}])) == 64


def test_about_the_wanted_fraction_is_held_out() -> None:
    prints = [fingerprint([{"role": "user", "content": str(number)}]) for number in range(4000)]
    held_out = sum(split_of(one, 0.3) == "held_out" for one in prints)
    assert 1110 < held_out < 1290  # 1200 ± 3 standard deviations


def test_a_larger_fraction_only_adds_to_the_held_out_prompts() -> None:
    prints = [fingerprint([{"role": "user", "content": str(number)}]) for number in range(300)]
    small = {one for one in prints if split_of(one, 0.1) == "held_out"}
    assert small < {one for one in prints if split_of(one, 0.5) == "held_out"}


@pytest.mark.parametrize(("fraction", "split"), [(0.0, "train"), (1.0, "held_out")])
def test_the_extreme_fractions_leave_nothing_over(fraction: float, split: str) -> None:
    assert {split_of(digits * 64, fraction) for digits in "0123456789abcdef"} == {split}


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_a_fraction_outside_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="held_out_fraction"):
        split_of("0" * 64, fraction)


def test_something_that_is_no_fingerprint_is_refused() -> None:
    with pytest.raises(ValueError, match="hex digits"):
        split_of("abc", 0.3)
