"""How different the candidates of one prompt are from each other, and how far scores set them apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from generation.candidate_quality.words import n_grams, words_of


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """Of two or more texts; all values 0 to 1, higher is more diverse but for self_bleu."""

    distinct_1: float  # different words over all words of all texts (Li et al. 2016)
    distinct_2: float  # different word pairs over all word pairs
    mean_distance: float  # Jaccard distance of the texts' word sets, over all pairs of texts
    self_bleu: float  # each text's BLEU against the others, mean (Zhu et al. 2018); 1: all the same


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The best and the worst of some scored candidates, by their places."""

    best: int
    worst: int
    gap: float


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
    return sum(_bleu(words, [*texts[:place], *texts[place + 1 :]], max_n) for place, words in enumerate(texts)) / len(
        texts
    )


def _bleu(words: list[str], references: Sequence[list[str]], max_n: int) -> float:
    if not words:
        return 1.0 if any(not reference for reference in references) else 0.0
    logs = []
    for n in range(1, max_n + 1):
        counts = Counter(n_grams(words, n))
        limits: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            limits |= Counter(n_grams(reference, n))
        matched, total = (counts & limits).total(), counts.total()
        if n > 1:
            matched, total = matched + 1, total + 1
        if not matched:
            return 0.0
        logs.append(math.log(matched / total))
    closest = min((abs(len(reference) - len(words)), len(reference)) for reference in references)[1]
    brevity = min(0.0, 1 - closest / len(words))
    return math.exp(brevity + sum(logs) / max_n)


def spread_of(scores: Sequence[float]) -> Spread | None:
    """The places of the highest and the lowest score, the first of equals; None if no two scores differ."""
    if len(scores) < 2 or max(scores) == min(scores):
        return None
    best, worst = max(scores), min(scores)
    return Spread(best=scores.index(best), worst=scores.index(worst), gap=best - worst)
