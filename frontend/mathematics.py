r"""Formulas in Markdown, set as MathML: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and `\begin{align}`. Pure.

latex2mathml copies links, styles and text as they come (docs/decisions/0008), so its tree is rebuilt from a list of
elements and attributes, with every text escaped.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

LONGEST = 2_000  # characters of one formula
MOST_NESTED = 40  # braces and environments within each other
MOST_DOLLARS = 6  # that are tried as the end of one formula

# fmt: off
TAGS = frozenset({
    "math", "mrow", "mi", "mo", "mn", "ms", "mtext", "mspace", "msub", "msup", "msubsup", "munder", "mover",
    "munderover", "mmultiscripts", "mprescripts", "none", "mfrac", "msqrt", "mroot", "mtable", "mtr", "mtd",
    "mstyle", "mpadded", "mphantom", "menclose",
})
ATTRIBUTES = frozenset({
    "display", "displaystyle", "scriptlevel", "stretchy", "fence", "separator", "form", "accent", "accentunder",
    "linethickness", "mathvariant", "columnalign", "rowspacing", "columnspacing", "columnlines", "rowlines",
    "width", "height", "depth", "lspace", "rspace", "minsize", "maxsize", "notation",
})
FUNCTIONS = frozenset({  # names that need a little space on both sides
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "det", "dim", "exp", "gcd", "inf", "ker", "lim",
    "ln", "log", "max", "min", "Pr", "sin", "sinh", "sup", "tan",
})
# fmt: on
_PLAIN_VALUE = re.compile(r"[\w .%+-]*")
_ENVIRONMENT = re.compile(r"\\begin\{(align|aligned|equation|gather|cases|matrix|pmatrix|bmatrix|array)\*?\}")
_BLOCK_FENCES = {"$$": "$$", r"\[": r"\]"}
_INLINE_FENCES = {r"\(": r"\)", r"\[": r"\]", "$$": "$$"}
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|textit|operatorname|mbox)\s*\{[^{}]*\}|\\[A-Za-z]+")
_SUFFIX = re.compile(r"(?:th|st|nd|rd|s)\b")  # as in "the $k$th"
_PROSE = re.compile(r"[^\W\d_]{2,}[,;:]?\s+[^\W\d_]{2,}|[^\W\d_]{4,}\s*$|^\d[\d,.]*\s*[,;:]?\s+[^\W\d_]{2,}")


def add_mathematics(parser: MarkdownIt) -> None:
    """Teach a Markdown parser the formulas: tokens `math_inline` and `math_block`, whose content is TeX."""
    parser.inline.ruler.before("escape", "math_inline", _inline_rule)
    parser.block.ruler.before(
        "fence", "math_block", _block_rule, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )


@lru_cache(maxsize=4096)
def formula(tex: str, *, is_block: bool) -> str:
    """A formula as MathML; as its source if it is not understood, or too long or deep to be tried."""
    is_tried = len(tex) <= LONGEST and _depth(tex) <= MOST_NESTED
    return (_mathml(tex, is_block=is_block) if is_tried else None) or f'<code class="tex">{escape(tex)}</code>'


def _mathml(tex: str, *, is_block: bool) -> str | None:
    """None for TeX that latex2mathml stumbles over: besides errors of its own, it raises IndexError and the like."""
    try:
        return "".join(_rebuilt(convert_to_element(tex, display="block" if is_block else "inline")))
    except Exception:
        return None


def _rebuilt(element: Element) -> Iterator[str]:
    """The element with allowed attributes; of what is not allowed, the content alone."""
    if element.tag == "mi" and element.text in FUNCTIONS:
        yield f'<mo form="prefix" lspace="0.17em" rspace="0.17em">{element.text}</mo>'
        return
    is_allowed = element.tag in TAGS
    if is_allowed:
        yield f"<{element.tag}{_attributes(element)}>"
    yield escape(unescape(element.text or ""))
    for child in element:
        yield from _rebuilt(child)
        yield escape(unescape(child.tail or ""))
    if is_allowed:
        yield f"</{element.tag}>"


def _attributes(element: Element) -> str:
    kept = {name: value for name, value in element.items() if name in ATTRIBUTES and _PLAIN_VALUE.fullmatch(value)}
    return "".join(f' {name}="{value}"' for name, value in kept.items())


def _depth(tex: str) -> int:
    deepest = depth = 0
    for opening in re.findall(r"[{}]|\\(?:begin|end|left|right)\b", tex):
        depth += 1 if opening in ("{", r"\begin", r"\left") else -1
        deepest = max(deepest, depth)
    return deepest


def _inline_rule(state: StateInline, silent: bool) -> bool:
    found = _delimited(state.src, state.pos) or _dollars(state.src, state.pos)
    if found is None:
        return False
    tex, end, is_block = found
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content, token.block = tex, is_block
    state.pos = end
    return True


def _delimited(text: str, start: int) -> tuple[str, int, bool] | None:
    r"""A formula between `\(` and `\)` and the like that starts here: (TeX, its end, whether it is displayed)."""
    opening = text[start : start + 2]
    closing = _INLINE_FENCES.get(opening)
    end = text.find(closing, start + 2, start + 2 + LONGEST) if closing else -1
    tex = text[start + 2 : end].strip()
    return (tex, end + 2, opening != r"\(") if closing and end > 0 and tex else None


def _dollars(text: str, start: int) -> tuple[str, int, bool] | None:
    """Pandoc's rule: no space inside the dollars, no digit after them; and what reads like prose holds prices."""
    if text[start] != "$" or text[start + 1 : start + 2].strip() in ("", "$"):
        return None
    for end in _closing_dollars(text, start + 1):
        tex = text[start + 1 : end]
        is_closed = not tex[-1].isspace() and (not text[end + 1 : end + 2].isalnum() or _SUFFIX.match(text, end + 1))
        if is_closed:
            return (tex, end + 1, False) if _is_formula(tex) else None
    return None


def _closing_dollars(text: str, start: int) -> Iterator[int]:
    """The next few places of an unescaped dollar on this line."""
    line_end = text.find("\n", start, start + LONGEST)
    limit = line_end if line_end >= 0 else start + LONGEST
    place = start
    for _ in range(MOST_DOLLARS):
        place = text.find("$", place + 1, limit)
        if place < 0:
            return
        if text[place - 1] != "\\":
            yield place


def _is_formula(tex: str) -> bool:
    return "`" not in tex and "$" not in tex.replace(r"\$", "") and not _PROSE.search(_TEXT.sub(" ", tex).strip())


def _block_rule(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A formula whose opening stands first on a line and whose closing stands last on one."""
    fences = None if state.is_code_block(start_line) else _block_fences(_line(state, start_line))
    found = _fenced(state, start_line, end_line, *fences) if fences else None
    if fences is None or found is None:
        return False
    tex, last_line = found
    if not silent:
        token = state.push("math_block", "math", 0)
        token.content = f"{fences[0]}{tex}{fences[1]}" if fences[0].startswith(r"\begin") else tex
        token.map = [start_line, last_line + 1]
        state.line = last_line + 1
    return True


def _fenced(state: StateBlock, start_line: int, end_line: int, opening: str, closing: str) -> tuple[str, int] | None:
    """(what stands between the fences, the line of the closing one), unless it is empty, interrupted or too long."""
    text = _line(state, start_line)[len(opening) :]
    line = start_line
    while not text.rstrip().endswith(closing):
        line += 1
        if line >= end_line or state.isEmpty(line) or len(text) > LONGEST:
            return None
        text += "\n" + _line(state, line)
    tex = text.rstrip().removesuffix(closing).strip()
    return (tex, line) if tex else None


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _block_fences(line: str) -> tuple[str, str] | None:
    if line[:2] in _BLOCK_FENCES:
        return line[:2], _BLOCK_FENCES[line[:2]]
    found = _ENVIRONMENT.match(line)
    return (found.group(), found.group().replace("begin", "end", 1)) if found else None
