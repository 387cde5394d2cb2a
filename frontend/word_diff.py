"""Which words of two texts differ. Pure.

Myers, "An O(ND) difference algorithm and its variations" (1986): the work grows with the number of differences, and
texts with too many of them are not near-identical and are given up early.
"""

import re
from collections import Counter
from dataclasses import dataclass

MOST_WORDS = 20_000  # of one text
MOST_DIFFERENCES = 200  # words that only one of the texts has
NEAR = 0.7  # share of words that two texts must have in common for a word diff to be worth reading

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A stretch of one text."""

    text: str
    is_shared: bool  # whether the other text has it too


@dataclass(frozen=True, kw_only=True)
class WordDiff:
    """Two texts in pieces; the pieces of a side together are that text."""

    first: list[Piece]
    second: list[Piece]
    share: float  # of the words, in both texts


def word_diff(first: str, second: str) -> WordDiff | None:
    """The words that differ, or None if the texts are equal, or have less than 70 % of their words in common."""
    if first == second:
        return None
    a, b = _WORDS.findall(first), _WORDS.findall(second)
    if max(len(a), len(b)) > MOST_WORDS or _most_alike(a, b) < NEAR:
        return None
    kept = _kept(a, b)
    if kept is None:
        return None
    share = _share(sum(1 for index in kept if not a[index].isspace()), a, b)
    if share < NEAR:
        return None
    return WordDiff(first=_pieces(a, set(kept)), second=_pieces(b, set(kept.values())), share=share)


def _most_alike(a: list[str], b: list[str]) -> float:
    """The share of words that would be in both if their order did not matter: unlike texts are known by it at once."""
    in_both = Counter(a) & Counter(b)
    return _share(sum(count for word, count in in_both.items() if not word.isspace()), a, b)


def _share(num_shared: int, a: list[str], b: list[str]) -> float:
    return 2 * num_shared / max(1, sum(1 for words in (a, b) for word in words if not word.isspace()))


def _kept(a: list[str], b: list[str]) -> dict[int, int] | None:
    """Indices of a → indices of b that hold the same word, both rising; None after too many differences."""
    start = _common_prefix(a, b)
    end = _common_prefix(a[start:][::-1], b[start:][::-1])
    middle = _myers(a[start : len(a) - end], b[start : len(b) - end])
    if middle is None:
        return None
    kept = {index: index for index in range(start)}
    kept |= {start + left: start + right for left, right in middle}
    return kept | {len(a) - back: len(b) - back for back in range(end, 0, -1)}


def _common_prefix(a: list[str], b: list[str]) -> int:
    return next(
        (index for index, (left, right) in enumerate(zip(a, b, strict=False)) if left != right), min(len(a), len(b))
    )


def _myers(a: list[str], b: list[str]) -> list[tuple[int, int]] | None:
    """Pairs of equal words on a shortest path through the edit graph."""
    furthest = {1: 0}  # diagonal → furthest x on it
    trace: list[dict[int, int]] = []
    for differences in range(MOST_DIFFERENCES + 1):
        trace.append(furthest.copy())
        for diagonal in range(-differences, differences + 1, 2):
            x = _step(furthest, diagonal, differences)
            y = x - diagonal
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= len(a) and y >= len(b):
                return _backtrack(trace, len(a), len(b))
    return None


def _step(furthest: dict[int, int], diagonal: int, differences: int) -> int:
    """Down from the diagonal above, or right from the one below: whichever has come further."""
    goes_down = diagonal == -differences or (
        diagonal != differences and furthest[diagonal - 1] < furthest[diagonal + 1]
    )
    return furthest[diagonal + 1] if goes_down else furthest[diagonal - 1] + 1


def _backtrack(trace: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for differences in range(len(trace) - 1, -1, -1):
        furthest, diagonal = trace[differences], x - y
        goes_down = diagonal == -differences or (
            diagonal != differences and furthest[diagonal - 1] < furthest[diagonal + 1]
        )
        before = diagonal + 1 if goes_down else diagonal - 1
        start_x = furthest[before] if differences else 0
        start_y = start_x - before if differences else 0
        while x > start_x and y > start_y:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = start_x, start_y
    return pairs[::-1]


def _pieces(words: list[str], shared: set[int]) -> list[Piece]:
    """Neighbours of one kind joined; blank space between two words that only this text has joins them."""
    flags = [index in shared for index in range(len(words))]
    for index, word in enumerate(words):
        is_between = 0 < index < len(words) - 1 and not flags[index - 1] and not flags[index + 1]
        if flags[index] and is_between and word.isspace() and "\n" not in word:
            flags[index] = False
    pieces: list[Piece] = []
    for word, is_shared in zip(words, flags, strict=True):
        if pieces and pieces[-1].is_shared == is_shared:
            pieces[-1] = Piece(text=pieces[-1].text + word, is_shared=is_shared)
        else:
            pieces.append(Piece(text=word, is_shared=is_shared))
    return pieces
