"""Where the strict content security policy gives way, and why."""

from collections.abc import Callable
from typing import Any, ParamSpec, cast

from csp.decorators import csp_update
from django.http import HttpResponse

P = ParamSpec("P")

# Plotly writes style attributes and rules of its own. Only pages with plots allow them; scripts stay ours everywhere.
PLOT_STYLES = {"style-src": ["'unsafe-inline'"]}


def allows_plot_styles(view: Callable[P, HttpResponse]) -> Callable[P, HttpResponse]:
    """For a view whose page holds Plotly figures."""
    relaxed: Any = csp_update(PLOT_STYLES)(cast(Any, view))
    return cast(Callable[P, HttpResponse], relaxed)
