"""Whether a reply has fallen into a loop, as sampled text does (Holtzman et al. 2020, "The Curious Case of Neural Text
Degeneration")."""

from __future__ import annotations

import re
from collections import Counter

from generation.candidate_quality.words import n_grams, words_of

NUM_LEAST_WORDS = 24  # shorter texts may repeat themselves as they like
MAX_REPEATED_SHARE = 0.5  # of word 4-grams that were there before; fluent English stays below 0.2
MIN_LOOPS = 4  # the same words again and again at the end of a text
_LONG_RUN = re.compile(r"([^\s\d_=*#.~-])\1{19,}")  # one character twenty times; rulers and dots are allowed


def repeated_share(text: str, n: int = 4) -> float:
    """The share of word `n`-grams that stood in the text before: 0 to 1 (Welleck et al. 2020's rep-n)."""
    grams = n_grams(words_of(text), n)
    return 1 - len(Counter(grams)) / len(grams) if grams else 0.0


def is_looping(text: str) -> bool:
    """Whether the text ends in a loop, repeats most of itself, or holds one character in a long run."""
    if _LONG_RUN.search(text):
        return True
    words = words_of(text)
    if len(words) < NUM_LEAST_WORDS:
        return False
    return _num_loops_at_end(words) >= MIN_LOOPS or repeated_share(text) > MAX_REPEATED_SHARE


def _num_loops_at_end(words: list[str]) -> int:
    """How often the last words, up to eight of them, stand there in a row; loops of fewer than 12 words in all do not
    count, for "ha ha ha ha" is an answer."""
    most = 1
    for length in range(1, 9):
        pattern, loops = words[-length:], 1
        while words[-length * (loops + 1) : -length * loops] == pattern:
            loops += 1
        if loops * length >= NUM_LEAST_WORDS // 2:
            most = max(most, loops)
    return most
