"""Tables of sweeps."""

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def at(values: Mapping[str, Any], name: str) -> Any:
    """The value under a name that is itself a variable; None if there is none."""
    return values.get(name)


@register.filter
def short(value: float) -> str:
    """0.000005 as "5e-06", 16 as "16"."""
    return f"{value:g}"
