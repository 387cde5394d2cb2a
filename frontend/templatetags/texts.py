"""Texts of prompts and completions in templates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from frontend.markdown import render_markdown
from frontend.reading import Shown, shown_replies
from frontend.visible_text import visible

if TYPE_CHECKING:
    from frontend.labeling import Reply

register = template.Library()

THUMBS = 2  # points of a thumb


@register.filter
def markdown(text: str) -> SafeString:
    """Sanitised Markdown."""
    return render_markdown(text)


@register.filter
def raw(text: str) -> SafeString:
    """The text as it is, control characters marked."""
    return mark_safe(visible(text))  # noqa: S308 -- escaped there


@register.filter
def shown(replies: "Sequence[Reply]", place: int) -> Shown:
    """The reply at a place, as it is shown beside the others."""
    return shown_replies([reply.text for reply in replies])[place]


@register.filter
def shared(replies: "Sequence[Reply]") -> str:
    """How many of the words near-identical replies have in common, in percent; empty for others."""
    share = shown_replies([reply.text for reply in replies])[0].share if replies else 0.0
    return f"{100 * share:.0f} %" if share else ""


@register.filter
def points(num_points: int) -> list[tuple[int, str]]:
    """(value, what stands on the button) from worst to best: a thumb down and up for two points."""
    if num_points == THUMBS:
        return [(1, "Thumb down"), (2, "Thumb up")]
    return [(value, str(value)) for value in range(1, num_points + 1)]


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
