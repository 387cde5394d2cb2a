"""How replies are shown beside each other: rendered with what they share folded, raw, and as differing words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from django.utils.safestring import SafeString, mark_safe

from frontend.folding import Blocks, common_ends, count_words
from frontend.markdown import CACHED, SHOWN, cut_off, render_blocks
from frontend.visible_text import visible
from frontend.word_diff import Piece, word_diff


@dataclass(frozen=True, kw_only=True)
class Common:
    """A folded beginning or end."""

    html: SafeString
    num_words: int


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One reply as the page shows it. All of it is safe HTML."""

    first: Common | None  # what all replies begin with
    body: SafeString
    last: Common | None  # what all replies end with
    rest: SafeString  # the marker of a huge text, with what lies behind it
    raw: SafeString
    differences: SafeString  # the words with those marked that the other reply lacks; empty unless near-identical
    share: float  # of the words that both replies have; 0 unless near-identical


def shown_replies(texts: Sequence[str]) -> tuple[Shown, ...]:
    """The replies of one comparison, in the order given."""
    together = tuple(texts)
    return _cached(together) if sum(map(len, together)) <= CACHED else _cached_huge(together)


@lru_cache(maxsize=4)  # a page asks once for every reply
def _cached_huge(texts: tuple[str, ...]) -> tuple[Shown, ...]:
    return _shown(texts)


@lru_cache(maxsize=512)
def _cached(texts: tuple[str, ...]) -> tuple[Shown, ...]:
    return _shown(texts)


def _shown(texts: tuple[str, ...]) -> tuple[Shown, ...]:
    replies = [render_blocks(text) for text in texts]
    fold = common_ends(replies) if all(len(text) <= SHOWN for text in texts) else common_ends([])
    differences, share = _differences(texts)
    return tuple(
        Shown(
            first=_common(blocks[: fold.num_first]),
            body=_safe(blocks[fold.num_first : len(blocks) - fold.num_last]),
            last=_common(blocks[len(blocks) - fold.num_last :]),
            rest=cut_off(text),
            raw=_safe([visible(text)]),
            differences=difference,
            share=share,
        )
        for text, blocks, difference in zip(texts, replies, differences, strict=True)
    )


def _common(blocks: Blocks) -> Common | None:
    return Common(html=_safe(blocks), num_words=count_words(blocks)) if blocks else None


def _differences(texts: tuple[str, ...]) -> tuple[list[SafeString], float]:
    found = word_diff(*texts) if len(texts) == 2 else None
    if found is None:
        return [_safe([])] * len(texts), 0.0
    return [_safe(map(_marked, pieces)) for pieces in (found.first, found.second)], found.share


def _marked(piece: Piece) -> str:
    if piece.is_shared:
        return visible(piece.text)
    if piece.text.isspace():
        return f'<mark title="{escape(_space(piece.text))}">{"¶" * piece.text.count(chr(10)) or "␣"}{piece.text}</mark>'
    return f"<mark>{visible(piece.text)}</mark>"


def _space(text: str) -> str:
    return "a line break" if "\n" in text else "a space"


def _safe(parts: Iterable[str]) -> SafeString:
    return mark_safe("".join(parts))  # noqa: S308 -- every part comes from the sanitiser or is escaped
