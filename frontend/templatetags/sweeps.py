"""Tables of sweeps."""

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def at(values: Mapping[str, Any], name: str) -> Any:
    """The value under a name that is itself a variable; None if there is none."""
    return values.get(name)
