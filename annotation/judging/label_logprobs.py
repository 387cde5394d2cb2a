"""Soft verdicts: how probable each label was as the verdict's token.

The alternatives of the first token that is a label are summed by label (" A", "A" and "▁A" are one) and renormalised.
Alternatives that the server did not list count nothing, so that the mass of the labels together is checked first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from annotation.judging.calls import TokenLogprob
from annotation.judging.verdict_text import NoVerdict

_AROUND = " \t\n\r\"'`*_[](){}:.▁ĠĊ"  # what tokenizers and models put around a letter


def label_probabilities(
    tokens: Sequence[TokenLogprob], labels: Sequence[str], *, least_mass: float
) -> dict[str, float]:
    """label → probability, summing to 1. Raises NoVerdict without log-probabilities or with too little mass."""
    token = _verdict_token(tokens, labels)
    alternatives = {**token.top, token.token: token.top.get(token.token, token.logprob)}
    masses = _masses(alternatives, labels)
    total = sum(masses.values())
    if total < least_mass or total == 0:
        raise NoVerdict(f"the labels have {total:.3f} of the probability, less than {least_mass:g}")
    return {label: mass / total for label, mass in masses.items()}


def _verdict_token(tokens: Sequence[TokenLogprob], labels: Sequence[str]) -> TokenLogprob:
    if not tokens:
        raise NoVerdict("the reply came without log-probabilities")
    thought = [place for place, token in enumerate(tokens) if "</think>" in token.token]
    for token in tokens[thought[-1] + 1 if thought else 0 :]:
        bare = token.token.strip(_AROUND)
        if bare in labels:
            return token
        if bare and not bare.startswith("<|"):
            raise NoVerdict(f"the reply begins with {bare[:40]!r}, which is no label")
    raise NoVerdict("the reply has no label")


def _masses(alternatives: Mapping[str, float], labels: Sequence[str]) -> dict[str, float]:
    masses = dict.fromkeys(labels, 0.0)
    for token, logprob in alternatives.items():
        if math.isnan(logprob) or logprob > 1e-3:
            raise NoVerdict(f"{logprob!r} is no log-probability")
        if (bare := token.strip(_AROUND)) in masses:
            masses[bare] += math.exp(min(logprob, 0.0))
    return masses
