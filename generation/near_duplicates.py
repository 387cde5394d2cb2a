"""Which candidates of one prompt say the same: comparing them would waste a judgment.

In a short reply every character can decide ("14" or "15", "CAT" or "cat"), so that only blanks and the case of the
first letter are forgiven. A long reply also repeats an earlier one if nearly all of its word triples are the same and
the two name the same numbers and negations, which change the meaning of a text that otherwise looks alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LONG_TEXT_WORDS = 12  # from this many words on, texts are compared by similarity too
SIMILARITY_THRESHOLD = 0.9  # of the word triples, repeats counted

# Scripts without blanks between words (Chinese, Japanese) count each character as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+(?:['’]\w+)*")
_NEGATIONS = frozenset({"not", "no", "never", "none", "nor", "neither", "without", "cannot"})


@dataclass(frozen=True)
class Reading:
    """What is compared of one text."""

    exact: str
    triples: Counter[tuple[str, ...]]
    turning_points: list[str]  # numbers and negations, in order


def mark_near_duplicates(texts: Sequence[str], *, threshold: float = SIMILARITY_THRESHOLD) -> list[int | None]:
    """For each text the index of the earlier one that it repeats, or None.

    The earlier one is always itself unmarked, so that the texts marked None are the ones to keep.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in (0, 1], got {threshold}")
    readings = [read_text(text) for text in texts]
    marks: list[int | None] = []
    for index, reading in enumerate(readings):
        kept = (earlier for earlier in range(index) if marks[earlier] is None)
        marks.append(next((other for other in kept if _is_same(readings[other], reading, threshold)), None))
    return marks


def similarity(first: str, second: str) -> float:
    """Shared word triples over all word triples of both (a Jaccard index with repeats): 0 to 1."""
    return _overlap(_triples(_words(first)), _triples(_words(second)))


def _is_same(first: Reading, second: Reading, threshold: float) -> bool:
    if first.exact == second.exact:
        return True
    if not first.triples or not second.triples or first.turning_points != second.turning_points:
        return False
    return _overlap(first.triples, second.triples) >= threshold


def read_text(text: str) -> Reading:
    """What is compared of the text."""
    words = _words(text)
    is_long = len(words) >= LONG_TEXT_WORDS
    return Reading(
        exact=_normalised(text, is_long=is_long),
        triples=_triples(words) if is_long else Counter(),
        turning_points=[word for word in words if _turns_meaning(word)],
    )


def _normalised(text: str, *, is_long: bool) -> str:
    single = " ".join(text.split())
    return single.casefold() if is_long else single[:1].casefold() + single[1:]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _turns_meaning(word: str) -> bool:
    return word in _NEGATIONS or word.endswith(("n't", "n’t")) or any(map(str.isdigit, word))


def _triples(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(zip(words, words[1:], words[2:], strict=False))


def _overlap(first: Counter[tuple[str, ...]], second: Counter[tuple[str, ...]]) -> float:
    union = (first | second).total()
    return (first & second).total() / union if union else 0.0
