"""Which text of many says what an earlier one said, without comparing each with all.

Two texts are compared as `near_duplicates` compares candidates. For long texts that is a Jaccard index of word triples
of at least t, and two sets of n and m members can only reach it if they share one of the first n − ⌈t·n⌉ + 1 members in
any fixed order (prefix filtering: Chaudhuri et al. 2006, Bayardo et al. 2007). Those members alone are indexed, so
that the answer is exact and a text meets few others.
"""

from __future__ import annotations

import math
from collections import Counter
from hashlib import blake2b

from generation.near_duplicates import SIMILARITY_THRESHOLD, Reading, read_text

Members = frozenset[int]  # hashes of (triple, how often it came before): a multiset as a set


class NearDuplicateIndex:
    """Texts that were kept; asks of a new one whether it repeats one of them."""

    def __init__(self, threshold: float = SIMILARITY_THRESHOLD) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must lie in (0, 1], got {threshold}")
        self._threshold = threshold
        self._exact: set[bytes] = set()
        self._long: list[Members] = []
        self._by_member: dict[tuple[bytes, int], list[int]] = {}  # (turning points, member) → places in `_long`

    def add(self, text: str) -> bool:
        """Whether the text repeats one that was kept; if not, it is kept itself."""
        reading = read_text(text)
        exact = _digest(reading.exact)
        if exact in self._exact:
            return True
        if reading.triples:
            members = _members(reading)
            keys = self._keys(reading, members)
            if any(self._is_near(place, members) for place in self._met(keys)):
                return True
            for key in keys:
                self._by_member.setdefault(key, []).append(len(self._long))
            self._long.append(members)
        self._exact.add(exact)
        return False

    def _keys(self, reading: Reading, members: Members) -> list[tuple[bytes, int]]:
        """What two texts that repeat each other must share: every turning point, and one of the first members."""
        num_first = len(members) - math.ceil(self._threshold * len(members)) + 1
        turning_points = _digest(" ".join(reading.turning_points))
        return [(turning_points, member) for member in sorted(members)[:num_first]]

    def _met(self, keys: list[tuple[bytes, int]]) -> set[int]:
        return {place for key in keys for place in self._by_member.get(key, ())}

    def _is_near(self, place: int, members: Members) -> bool:
        other = self._long[place]
        if min(len(other), len(members)) < self._threshold * max(len(other), len(members)):
            return False
        shared = len(other & members)
        return shared >= self._threshold * (len(other) + len(members) - shared)


def _members(reading: Reading) -> Members:
    counted: Counter[tuple[str, ...]] = reading.triples
    return frozenset(
        int.from_bytes(_digest("\x1f".join((*triple, str(number)))), "big")
        for triple, count in counted.items()
        for number in range(count)
    )


def _digest(text: str) -> bytes:
    """64 bits: among a million texts of a hundred triples, two differ unseen with a probability below 1 in 1,000."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
