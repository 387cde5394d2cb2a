"""Markdown from hostile writers as safe HTML: no scripts, no live links, nothing fetched from anywhere."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
BLOCKS = {"p", "br", "hr", "pre", "blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}
INLINE = {"strong", "em", "s", "code", "span"}
ALLOWED_TAGS = HEADINGS | BLOCKS | INLINE
ALLOWED_ATTRIBUTES = {"code": {"class"}, "span": {"class"}, "ol": {"start"}, "th": {"align"}, "td": {"align"}}


class InertRenderer(RendererHTML):
    """Shows what a link or an image would lead to, as text, and aligns table cells without inline styles."""

    def link_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return '<span class="inert-link">'

    def link_close(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        opening = _matching_open(tokens, index)
        return f"</span>{_address(str(opening.attrGet('href') or ''), _text_between(tokens, opening, index))}"

    def image(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[index]
        label = nh3.clean_text(token.content or "image")
        return f'<span class="inert-image">image: {label}</span>{_address(str(token.attrGet("src") or ""), "")}'

    def th_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return _cell(tokens[index])

    def td_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return _cell(tokens[index])


def render_markdown(text: str) -> SafeString:
    """The text as sanitised HTML. Raw HTML in it is shown as text."""
    return mark_safe(_render(text))  # noqa: S308 -- nh3 has cleaned it


@lru_cache(maxsize=2048)
def _render(text: str) -> str:
    html: str = _parser().render(text)
    return nh3.clean(html, tags=ALLOWED_TAGS, attributes=ALLOWED_ATTRIBUTES, link_rel=None)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    options: dict[str, Any] = {"html": False, "breaks": True, "linkify": False}
    return MarkdownIt("commonmark", options, renderer_cls=InertRenderer).enable(["table", "strikethrough"])


def _cell(token: Token) -> str:
    style = str(token.attrGet("style") or "")
    align = f' align="{style.removeprefix("text-align:")}"' if style else ""
    return f"<{token.tag}{align}>"


def _address(url: str, shown: str) -> str:
    """The address in small type, unless the link's text already is the address."""
    if not url or url == shown:
        return ""
    return f' <span class="inert-address">{nh3.clean_text(url)}</span>'


def _matching_open(tokens: Sequence[Token], close: int) -> Token:
    return next(tokens[i] for i in range(close, -1, -1) if tokens[i].type == "link_open")


def _text_between(tokens: Sequence[Token], opening: Token, close: int) -> str:
    start = next(i for i in range(close, -1, -1) if tokens[i] is opening)
    return "".join(token.content for token in tokens[start:close])
