"""How different the candidates of one prompt are from each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from generation.candidate_quality.words import n_grams, words_of

Gram = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """Of two or more texts; all values 0 to 1, higher is more diverse but for self_bleu."""

    distinct_1: float  # different words over all words of all texts (Li et al. 2016)
    distinct_2: float  # different word pairs over all word pairs
    mean_distance: float  # Jaccard distance of the texts' word sets, over all pairs of texts
    self_bleu: float  # each text's BLEU against the others, mean (Zhu et al. 2018); 1: all the same


def diversity_of(texts: Sequence[str]) -> Diversity | None:
    """None for fewer than two texts, or if none has a word."""
    words = [words_of(text) for text in texts]
    if len(texts) < 2 or not any(words):
        return None
    return Diversity(
        distinct_1=distinct_n(words, 1),
        distinct_2=distinct_n(words, 2),
        mean_distance=mean_distance(words),
        self_bleu=self_bleu(words),
    )


def distinct_n(texts: Sequence[list[str]], n: int) -> float:
    """Different `n`-grams over all `n`-grams; 0 where there is none."""
    grams = [gram for words in texts for gram in n_grams(words, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def mean_distance(texts: Sequence[list[str]]) -> float:
    """1 − |A ∩ B| / |A ∪ B| of the sets of words, over all pairs; two empty texts are the same."""
    sets = [set(words) for words in texts]
    distances = [1 - len(a & b) / len(a | b) if a | b else 0.0 for a, b in combinations(sets, 2)]
    return sum(distances) / len(distances)


def self_bleu(texts: Sequence[list[str]], max_n: int = 4) -> float:
    """Mean BLEU of each text with all others as references, smoothed by adding one to n-gram counts above n = 1
    (Lin and Och 2004)."""
    counts = [[Counter(n_grams(words, n)) for n in range(1, max_n + 1)] for words in texts]
    lengths = [len(words) for words in texts]
    return sum(_bleu(place, counts, lengths) for place in range(len(texts))) / len(texts)


def _bleu(place: int, counts: Sequence[Sequence[Counter[Gram]]], lengths: Sequence[int]) -> float:
    """Of the text at `place` against all others; `counts` has the n-grams of each text for n = 1, 2, …"""
    length, others = lengths[place], [*lengths[:place], *lengths[place + 1 :]]
    if not length:
        return 0.0 if all(others) else 1.0
    logs = []
    for n, own in enumerate(counts[place], start=1):
        references = [grams[n - 1] for other, grams in enumerate(counts) if other != place]
        matched = sum(min(count, max(found.get(gram, 0) for found in references)) for gram, count in own.items())
        total = max(0, length - n + 1)
        if n > 1:
            matched, total = matched + 1, total + 1
        if not matched:
            return 0.0
        logs.append(math.log(matched / total))
    closest = min((abs(other - length), other) for other in others)[1]
    brevity = min(0.0, 1 - closest / length)
    return math.exp(brevity + sum(logs) / len(logs))
