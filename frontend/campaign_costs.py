"""What a campaign's judgments cost in money and time, beside published figures."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from annotation.campaign_report import Dashboard
from annotation.models import Campaign

# AlpacaEval's table of evaluators: seconds and dollars for 1,000 comparisons by people, and by judges.
PEOPLE_SECONDS, PEOPLE_PRICE = 36_800, 300
JUDGE_SECONDS, JUDGE_PRICES = (120, 1990), ("0.4", "15")


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Totals; None where the campaign has no price or no time was measured."""

    spent: Decimal | None
    per_thousand: Decimal | None
    hours: float | None  # of active work, measured
    seconds_per_thousand: float | None
    share_timed: float


def costs_of(campaign: Campaign, numbers: Dashboard) -> Costs:
    """Costs of the main judgments so far."""
    price, timed = campaign.price_per_judgment, numbers.num_timed
    return Costs(
        spent=price * numbers.num_judgments if price is not None else None,
        per_thousand=price * 1000 if price is not None else None,
        hours=numbers.active_seconds / 3600 if timed else None,
        seconds_per_thousand=1000 * numbers.active_seconds / timed if timed else None,
        share_timed=timed / numbers.num_judgments if numbers.num_judgments else 0.0,
    )
