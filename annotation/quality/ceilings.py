"""Published agreement on preferences, to hold beside a campaign's own.

No campaign is comparable with another one without a look at `what`: with ties counted as a third answer agreement is
some 18 points lower than without them, and experts agree more than crowds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Who = Literal["people", "judge and people", "baseline and people"]
Measure = Literal["raw agreement", "Krippendorff's alpha"]


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """One published figure: a share or a coefficient, with its range where the source gives one."""

    name: str
    who: Who
    measure: Measure
    low: float
    high: float
    has_ties: bool  # ties count as an answer
    what: str
    source: str

    @property
    def middle(self) -> float:
        """Between low and high."""
        return (self.low + self.high) / 2


def _raw(
    name: str, who: Who, low: float, high: float, *, what: str, source: str, has_ties: bool = False
) -> PublishedFigure:
    return PublishedFigure(
        name=name, who=who, measure="raw agreement", low=low, high=high, has_ties=has_ties, what=what, source=source
    )


_HH = "Y. Bai and others, Training a Helpful and Harmless Assistant, 2022, arXiv:2204.05862"
_SUMMARIES = "N. Stiennon and others, Learning to summarize from human feedback, 2020, arXiv:2009.01325"
_INSTRUCTGPT = "L. Ouyang and others, Training language models to follow instructions, 2022, arXiv:2203.02155"
_ALPACAEVAL = "AlpacaEval's table of evaluators, on the crowd's answers of AlpacaFarm (2023, arXiv:2305.14387)"
_MT_BENCH = "L. Zheng and others, Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena, 2023, arXiv:2306.05685"
_ARENA = "W.-L. Chiang and others, Chatbot Arena, 2024, arXiv:2403.04132"
_LLMFAO = "D. Ustalov, LLMFAO, 2023: 8,931 votes of 124 workers, CC-BY-4.0"

PUBLISHED: tuple[PublishedFigure, ...] = (
    _raw("HH, researchers and crowd", "people", 0.63, 0.63, what="crowd workers with the authors", source=_HH),
    _raw("Summaries", "people", 0.69, 0.77, what="researchers with each other, 73 ± 4 %", source=_SUMMARIES),
    _raw("InstructGPT, labelers", "people", 0.711, 0.741, what="trained labelers, 72.6 ± 1.5 %", source=_INSTRUCTGPT),
    _raw("InstructGPT, held out", "people", 0.76, 0.786, what="held-out labelers, 77.3 ± 1.3 %", source=_INSTRUCTGPT),
    _raw("AlpacaFarm", "people", 0.657, 0.657, what="one against the mode of the others", source=_ALPACAEVAL),
    _raw("MT-Bench, no ties", "people", 0.81, 0.81, what="experts, votes without ties", source=_MT_BENCH),
    _raw("MT-Bench, ties", "people", 0.63, 0.63, what="experts, ties are an answer", source=_MT_BENCH, has_ties=True),
    _raw("Arena, crowd and experts", "people", 0.72, 0.83, what="votes without ties", source=_ARENA),
    _raw("Arena, experts", "people", 0.79, 0.90, what="experts with each other, no ties", source=_ARENA),
    _raw("GPT-4, no ties", "judge and people", 0.85, 0.85, what="MT-Bench, votes without ties", source=_MT_BENCH),
    _raw("GPT-4, ties", "judge and people", 0.66, 0.66, what="MT-Bench with ties", source=_MT_BENCH, has_ties=True),
    _raw("The longer one wins", "baseline and people", 0.622, 0.622, what="the longest reply", source=_ALPACAEVAL),
    PublishedFigure(
        name="LLMFAO",
        who="people",
        measure="Krippendorff's alpha",
        low=0.29,
        high=0.29,
        has_ties=True,
        what="crowd workers, nominal, 38.9 % of the votes are ties",
        source=_LLMFAO,
    ),
)
