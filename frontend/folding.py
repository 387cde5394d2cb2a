"""What several replies have in common at their beginnings and ends. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST_WORDS = 40  # in a fold: a shorter one saves no reading

_TAG = re.compile(r"<[^>]*>")

Blocks = Sequence[str]  # the HTML of a reply's paragraphs, lists, tables …


@dataclass(frozen=True, kw_only=True)
class Fold:
    """How many blocks at either end stand in every reply."""

    num_first: int
    num_last: int


def common_ends(replies: Sequence[Blocks]) -> Fold:
    """The blocks that all replies begin and end with; no fold if it would be short or leave nothing of a reply."""
    if len(replies) < 2:
        return Fold(num_first=0, num_last=0)
    first = _num_alike(replies)
    last = _num_alike([blocks[first:][::-1] for blocks in replies])
    if first + last >= min(map(len, replies)):
        first, last = (first - 1, last) if first >= last else (first, last - 1)
    sample = list(replies[0])
    return Fold(
        num_first=_worth(sample[: max(0, first)]), num_last=_worth(sample[len(sample) - last :] if last > 0 else [])
    )


def count_words(blocks: Blocks) -> int:
    """Words of the blocks' text."""
    return sum(len(_TAG.sub(" ", block).split()) for block in blocks)


def _num_alike(replies: Sequence[Blocks]) -> int:
    """The length of the longest common beginning."""
    differing = (index for index, blocks in enumerate(zip(*replies, strict=False)) if len(set(blocks)) > 1)
    return next(differing, min(map(len, replies)))


def _worth(blocks: Blocks) -> int:
    return len(blocks) if count_words(blocks) >= FEWEST_WORDS else 0
