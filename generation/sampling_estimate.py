"""What a sampling run would come to, before it is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Avg, TextField
from django.db.models.functions import Cast, Length

from generation.models import PromptSet
from generation.sampling_figures import cost_of
from generation.services import ArmSpec
from generation.splits import split_of

CHARACTERS_PER_TOKEN = 4  # of English text, roughly, in the vocabularies of today


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Prompts and completions exactly, tokens of prompts roughly, tokens of completions at most."""

    num_prompts: int
    num_completions: int
    num_prompt_tokens: int
    max_tokens: int
    max_cost: Decimal | None  # US dollars; None where a price is not known


def estimate(*, prompt_set: PromptSet, arms: Sequence[ArmSpec], split: str, max_prompts: int | None = None) -> Estimate:
    """Reads fingerprints and lengths, no texts."""
    num_prompts = _num_prompts(prompt_set, split)
    num_prompts = min(num_prompts, max_prompts) if max_prompts else num_prompts
    read = prompt_set.prompts.aggregate(mean=Avg(Length(Cast("messages", TextField()))))["mean"] or 0.0
    prompt_tokens = [num_prompts * (read + len(arm.system_prompt)) / CHARACTERS_PER_TOKEN for arm in arms]
    tokens = [num_prompts * arm.num_completions * arm.max_new_tokens for arm in arms]
    costs = [
        cost_of(arm.model.prompt_price, arm.model.completion_price, asked, said)
        for arm, asked, said in zip(arms, prompt_tokens, tokens, strict=True)
    ]
    known = [cost for cost in costs if cost is not None]
    return Estimate(
        num_prompts=num_prompts,
        num_completions=num_prompts * sum(arm.num_completions for arm in arms),
        num_prompt_tokens=round(sum(prompt_tokens)),
        max_tokens=sum(tokens),
        max_cost=sum(known, Decimal(0)) if arms and len(known) == len(arms) else None,
    )


def _num_prompts(prompt_set: PromptSet, split: str) -> int:
    if split == "all":
        return int(prompt_set.prompts.count())
    fingerprints = prompt_set.prompts.order_by().values_list("fingerprint", flat=True)
    return sum(split_of(one, prompt_set.held_out_fraction) == split for one in fingerprints.iterator())
