"""hh-rlhf and TRL: pairs of a chosen and a rejected reply, by nobody in particular (`annotation.pair_lines`)."""

from __future__ import annotations

import hashlib

from annotation.judgment_import.votes import LABELS, ImportedReply, ImportedVote
from annotation.pair_lines import PreferencePair, parse_pair
from core.source_rows import Row


def pair_votes(row: Row) -> list[ImportedVote]:
    """One vote. Such files do not say which reply stood where; they are listed by the texts' hashes.

    Raises `LineMalformed`.
    """
    return [vote_of_pair(parse_pair(row))]


def vote_of_pair(pair: PreferencePair) -> ImportedVote:
    """The chosen reply before the rejected one."""
    shown = sorted((pair.chosen, pair.rejected), key=lambda text: hashlib.sha256(text.encode()).hexdigest())
    winner = shown.index(pair.chosen)
    return ImportedVote(
        messages=pair.messages,
        replies=tuple(ImportedReply(text=text) for text in shown),
        answer={"tiers": [[winner], [1 - winner]]},
        annotator=LABELS,
        is_order_known=False,
    )
