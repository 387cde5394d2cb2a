"""Which judged comparisons could become gold items: those about which annotators agree without a tie."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass

from annotation.columns import read_judgments
from annotation.consensus import adjudications
from annotation.models import Campaign, Comparison

MOST_OF_A_PROMPT = 2  # gold items about one prompt would be recognised
NUM_LOOKED_AT = 1000


@dataclass(frozen=True, kw_only=True)
class GoldCandidate:
    """A comparison with the answer that most annotators gave, or an adjudicator."""

    comparison: Comparison
    tiers: list[list[int]]
    num_judgments: int
    num_same: int
    is_adjudicated: bool

    @property
    def answer(self) -> str:
        """The answer as the gold form posts it."""
        return json.dumps({"tiers": self.tiers})


def candidates(campaign: Campaign, *, limit: int = 20) -> list[GoldCandidate]:
    """Adjudicated comparisons first, then by how many annotators said the same and how few said otherwise."""
    said = _said(campaign)
    decided = {pk: row.answer["tiers"] for pk, row in adjudications(campaign).items() if row.answer.get("tiers")}
    ranked = sorted(said, key=lambda pk: (pk not in decided, -_margin(said[pk]), pk))
    rows = Comparison.objects.filter(gold__isnull=True).select_related("prompt").in_bulk(ranked[:NUM_LOOKED_AT])
    found: list[GoldCandidate] = []
    num_of: Counter[int] = Counter()  # candidates of each prompt
    for pk in ranked:
        if pk not in rows or len(found) == limit or num_of[rows[pk].prompt_id] == MOST_OF_A_PROMPT:
            continue
        tiers = decided.get(pk) or json.loads(said[pk].most_common(1)[0][0])
        if not all(len(tier) == 1 for tier in tiers):
            continue
        num_of[rows[pk].prompt_id] += 1
        num_judgments = said[pk].total()
        found.append(
            GoldCandidate(
                comparison=rows[pk],
                tiers=tiers,
                num_judgments=num_judgments,
                num_same=said[pk][json.dumps(tiers)],
                is_adjudicated=pk in decided,
            )
        )
    return found


def _said(campaign: Campaign) -> dict[int, Counter[str]]:
    """comparison → how often each order was given in main judgments."""
    columns = read_judgments(campaign).of("main")
    names = [None if said.tiers is None else json.dumps(said.tiers) for said in columns.said]
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for comparison, said in zip(columns.comparisons_J.tolist(), columns.said_J.tolist(), strict=True):
        name = names[said]
        if name is not None:
            counts[comparison][name] += 1
    return counts


def _margin(counts: Counter[str]) -> float:
    """Votes for the most frequent answer, less twice those for all others; ties do not count as an answer."""
    [(name, most)] = counts.most_common(1)
    if len(json.loads(name)) == 1:
        return float("-inf")
    return most - 2.0 * (counts.total() - most)
