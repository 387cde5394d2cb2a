"""What sampling took: tokens, time and money, of an arm or of several together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generation.models import SamplingArm

MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Sums, and what follows from them. A prompt's tokens count once for all its candidates, as servers count them."""

    num_completions: int = 0
    num_failed: int = 0
    num_prompt_tokens: int = 0
    num_tokens: int = 0  # of the replies
    seconds: float = 0.0  # spent sampling, storing included, over all attempts
    latency_p50_ms: float | None = None  # until the whole reply was there; None over several arms
    latency_p95_ms: float | None = None
    cost: Decimal | None = None  # US dollars; None where a price is not known

    @property
    def tokens_per_second(self) -> float | None:
        return self.num_tokens / self.seconds if self.seconds else None

    @property
    def completions_per_second(self) -> float | None:
        return self.num_completions / self.seconds if self.seconds else None


def figures_of(arm: SamplingArm) -> Figures:
    """Of one arm, which was read `with_figures`."""
    prompt_tokens, tokens = arm.sum_prompt_tokens or 0, arm.sum_tokens or 0  # type: ignore[attr-defined] # annotated
    return Figures(
        num_completions=arm.num_sampled,  # type: ignore[attr-defined] # annotated
        num_failed=arm.num_failed,  # type: ignore[attr-defined] # annotated
        num_prompt_tokens=prompt_tokens,
        num_tokens=tokens,
        seconds=arm.sampling_seconds,
        latency_p50_ms=arm.latency_p50,  # type: ignore[attr-defined] # annotated
        latency_p95_ms=arm.latency_p95,  # type: ignore[attr-defined] # annotated
        cost=cost_of(arm.prompt_price, arm.completion_price, prompt_tokens, tokens),
    )


def cost_of(
    prompt_price: Decimal | None, completion_price: Decimal | None, prompt_tokens: float, tokens: float
) -> Decimal | None:
    """US dollars for these tokens at prices for a million; None unless both prices are known."""
    if prompt_price is None or completion_price is None:
        return None
    return (prompt_price * Decimal(prompt_tokens) + completion_price * Decimal(tokens)) / MILLION


def total(parts: Iterable[Figures]) -> Figures:
    """Of all arms together; their times add up, because they are sampled one after another."""
    figures = list(parts)
    costs = [one.cost for one in figures]
    return Figures(
        num_completions=sum(one.num_completions for one in figures),
        num_failed=sum(one.num_failed for one in figures),
        num_prompt_tokens=sum(one.num_prompt_tokens for one in figures),
        num_tokens=sum(one.num_tokens for one in figures),
        seconds=sum(one.seconds for one in figures),
        cost=None if None in costs or not costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
    )
