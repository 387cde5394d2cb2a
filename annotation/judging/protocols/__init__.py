"""The protocols by name. To add one: a module like its neighbours, a template in `template_texts`, a line here."""

from __future__ import annotations

from typing import Final

from annotation.judging.protocols.aspects import ASPECTS
from annotation.judging.protocols.base import Ask, JudgingProtocol
from annotation.judging.protocols.checklist import CHECKLIST
from annotation.judging.protocols.constitution import CONSTITUTION
from annotation.judging.protocols.listwise import LISTWISE
from annotation.judging.protocols.pairwise import REASONING, VERDICT, PairwiseLogprobs
from annotation.judging.protocols.single_score import SINGLE_SCORE

PROTOCOLS: Final[dict[str, JudgingProtocol]] = {
    "pairwise_verdict": VERDICT,
    "pairwise_reasoning": REASONING,
    "pairwise_logprobs": PairwiseLogprobs(),
    "single_score": SINGLE_SCORE,
    "listwise": LISTWISE,
    "aspects": ASPECTS,
    "constitution": CONSTITUTION,
    "checklist": CHECKLIST,
}

__all__ = ["PROTOCOLS", "Ask", "JudgingProtocol"]
