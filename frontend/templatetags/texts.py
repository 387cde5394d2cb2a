"""Texts of prompts and completions in templates."""

from typing import Any

from django import template
from django.utils.safestring import SafeString

from frontend.markdown import render_markdown

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """Sanitised Markdown."""
    return render_markdown(text)


@register.filter
def last_turn(messages: list[dict[str, Any]]) -> str:
    """What the last speaker of a conversation says."""
    return str(messages[-1]["content"]) if messages else ""


@register.filter
def short_hash(digest: str) -> str:
    """The first 12 digits, enough to compare by eye."""
    return f"{digest[:12]}…" if digest else "–"


@register.filter
def words(key: str) -> str:
    """`held_out_accuracy` as "held out accuracy"."""
    return str(key).replace("_", " ")


@register.filter
def plainly(value: Any) -> str:
    """A value of a configuration: yes, no or a dash instead of Python's words; lists and tables on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, dict):
        return " · ".join(f"{words(name)} {plainly(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(plainly(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
