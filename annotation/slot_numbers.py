"""The numbers under which annotators see slots.

Slots of a campaign are made beforehand, those of gold items and repeats when they are served: a plain id would tell
them apart. So annotators see each id through a permutation that only the server knows, a Feistel network of four
rounds (Luby and Rackoff 1988, https://doi.org/10.1137/0217022) with keyed BLAKE2 as its round function.
"""

import hashlib

from django.conf import settings

HALF_BITS = 24  # 48 bits: a whole number in JavaScript too
MASK = (1 << HALF_BITS) - 1
LARGEST = (1 << 2 * HALF_BITS) - 1
MAX_DIGITS = len(str(LARGEST))
ROUNDS = range(4)


def shown(pk: int) -> int:
    """The number of a slot, for its annotator."""
    left, right = pk >> HALF_BITS, pk & MASK
    for turn in ROUNDS:
        left, right = right, left ^ _mixed(turn, right)
    return left << HALF_BITS | right


def pk_of(number: int) -> int:
    """The slot's id; that of no slot for a number that was never shown."""
    if not 0 <= number <= LARGEST:
        return 0
    left, right = number >> HALF_BITS, number & MASK
    for turn in reversed(ROUNDS):
        left, right = right ^ _mixed(turn, left), left
    return left << HALF_BITS | right


def pk_in(text: str) -> int:
    """The same for a number in digits; 0 for what is none."""
    return pk_of(int(text)) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else 0


def _mixed(turn: int, half: int) -> int:
    key = hashlib.blake2b(settings.SECRET_KEY.encode(), person=b"slot numbers").digest()
    text = turn.to_bytes(1, "big") + half.to_bytes(HALF_BITS // 8, "big")
    return int.from_bytes(hashlib.blake2b(text, key=key, digest_size=HALF_BITS // 8).digest(), "big")
