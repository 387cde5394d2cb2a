"""How a campaign chooses tasks and watches over quality; settings that may change while it is open."""

from decimal import Decimal, InvalidOperation
from typing import Any

from annotation import selection
from annotation.models import Campaign
from core.errors import ConcordError

COUNTS = {"gold_every", "repeat_every", "num_qualification", "pause_after", "exposure_cap"}  # whole numbers from 0
SHARES = {"random_share", "settled_probability", "qualification_pass", "pause_below"}  # 0 … 1
CHOICES = {"selection": Campaign.Selection.values, "skip_policy": Campaign.SkipPolicy.values}
OPTIONAL = {"settled_probability", "pause_below", "exposure_cap", "price_per_judgment"}  # null: not wanted
SETTINGS = COUNTS | SHARES | set(CHOICES) | {"price_per_judgment"}
MAX_COUNT = 30_000


class PolicyInvalid(ConcordError):
    """A setting of a campaign's policy is unknown or out of its range; the message names it."""

    status = 422
    title = "This policy cannot be followed"


def set_policy(*, campaign: Campaign, **settings: Any) -> Campaign:
    """Change the named settings of a campaign. Raises `PolicyInvalid`; then nothing has changed."""
    checked = {name: _checked(name, value) for name, value in settings.items()}
    became_adaptive = checked.get("selection") == "adaptive" and campaign.selection != "adaptive"
    for name, value in checked.items():
        setattr(campaign, name, value)
    campaign.save(update_fields=list(checked))
    if became_adaptive:
        selection.update_campaign(campaign)
    return campaign


def _checked(name: str, value: Any) -> Any:
    if name not in SETTINGS:
        raise PolicyInvalid(f"Unknown setting {name!r}; known are {', '.join(sorted(SETTINGS))}.")
    if value is None and name in OPTIONAL:
        return None
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise PolicyInvalid(f"{name} must be one of {', '.join(CHOICES[name])}, got {value!r}.")
        return value
    if name in COUNTS:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
            raise PolicyInvalid(f"{name} must be a whole number from 0 to {MAX_COUNT}, got {value!r}.")
        return value
    if name in SHARES:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise PolicyInvalid(f"{name} must lie between 0 and 1, got {value!r}.")
        return float(value)
    return _price(value)


def _price(value: Any) -> Decimal:
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or not 0 <= price < 1_000_000:
        raise PolicyInvalid(f"price_per_judgment must be an amount from 0 to 999,999, got {value!r}.")
    return price
