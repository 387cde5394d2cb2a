"""Markdown from hostile writers as safe HTML: no scripts, no live links, nothing fetched from anywhere."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import nh3
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from frontend import mathematics
from frontend.code import highlighted
from frontend.visible_text import name_controls, visible

SHOWN = 100_000  # characters of one text that are rendered; the rest stands behind a marker, unrendered
CACHED = 20_000  # characters; longer texts are rendered each time, so that the cache stays small

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
BLOCKS = {"p", "br", "hr", "pre", "blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}
INLINE = {"strong", "em", "s", "code", "span"}
ALLOWED_TAGS = HEADINGS | BLOCKS | INLINE | mathematics.TAGS
ALLOWED_ATTRIBUTES = {
    **{tag: {"dir"} for tag in HEADINGS | BLOCKS},
    **{tag: set(mathematics.ATTRIBUTES) for tag in mathematics.TAGS},
    "code": {"class"},
    "span": {"class"},
    "ol": {"start", "dir"},
    "th": {"align", "dir"},
    "td": {"align", "dir"},
}
DIRECTED = {
    "paragraph_open",
    "heading_open",
    "blockquote_open",
    "list_item_open",
    "bullet_list_open",
    "ordered_list_open",
}


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

    def math_inline(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return mathematics.formula(tokens[index].content, is_block=tokens[index].block)

    def math_block(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return f"<p>{mathematics.formula(tokens[index].content, is_block=True)}</p>\n"


def render_markdown(text: str) -> SafeString:
    """The text as sanitised HTML. Raw HTML in it is shown as text; what lies beyond 100,000 characters as raw text."""
    return mark_safe("".join(render_blocks(text)) + cut_off(text))  # noqa: S308 -- nh3 has cleaned the first part


def render_blocks(text: str) -> tuple[str, ...]:
    """The HTML of every paragraph, list, table … of the text's rendered part, each sanitised by itself."""
    shown = text[:SHOWN]
    return _cached_blocks(shown) if len(shown) <= CACHED else _blocks(shown)


def cut_off(text: str) -> SafeString:
    """The marker at which a huge text is cut, with the rest of it behind; nothing for other texts."""
    if len(text) <= SHOWN:
        return SafeString("")
    return format_html(
        '<details class="cut"><summary>Cut here: {} of {} characters are shown. Show the rest</summary>'
        '<pre class="rest" dir="auto">\n{}</pre></details>',
        f"{SHOWN:,}",
        f"{len(text):,}",
        mark_safe(visible(text[SHOWN:])),  # noqa: S308 -- escaped
    )


@lru_cache(maxsize=1024)
def _cached_blocks(text: str) -> tuple[str, ...]:
    return _blocks(text)


def _blocks(text: str) -> tuple[str, ...]:
    parser = _parser()
    env: EnvType = {}
    tokens = parser.parse(name_controls(text), env)
    for token in tokens:
        if token.type in DIRECTED:
            token.attrSet("dir", "auto")
        if token.tag in HEADINGS:
            token.tag = _below_ours(token.tag)
    return tuple(_clean(parser.renderer.render(block, parser.options, env)) for block in _top_level(tokens))


def _below_ours(tag: str) -> str:
    """A heading of a text stands below the page's own three levels, so that screen readers get one outline."""
    return f"h{min(6, int(tag[1]) + 3)}"


def _clean(html: str) -> str:
    return nh3.clean(html, tags=ALLOWED_TAGS, attributes=ALLOWED_ATTRIBUTES, link_rel=None)


def _top_level(tokens: list[Token]) -> Iterator[list[Token]]:
    block: list[Token] = []
    depth = 0
    for token in tokens:
        block.append(token)
        depth += token.nesting
        if depth == 0:
            yield block
            block = []


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    options: dict[str, Any] = {"html": False, "breaks": True, "linkify": False, "highlight": highlighted}
    parser = MarkdownIt("commonmark", options, renderer_cls=InertRenderer).enable(["table", "strikethrough"])
    mathematics.add_mathematics(parser)
    return parser


def _cell(token: Token) -> str:
    style = str(token.attrGet("style") or "")
    align = f' align="{style.removeprefix("text-align:")}"' if style else ""
    return f'<{token.tag}{align} dir="auto">'


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
