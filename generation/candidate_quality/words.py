"""Words as all measures here count them."""

from __future__ import annotations

import re

# Scripts without blanks between words (Chinese, Japanese) count each character as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+(?:['’]\w+)*")


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case; punctuation is none."""
    return _WORD.findall(text.casefold())


def n_grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    """Every `n` words that follow each other."""
    return list(zip(*(words[start:] for start in range(n)), strict=False))
