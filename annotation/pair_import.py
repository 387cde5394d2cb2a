"""Existing preference pairs become a campaign: prompts, completions, comparisons and judgments, in one transaction."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from accounts.models import User, Workspace
from annotation.judgment_import.checking import check_vote
from annotation.judgment_import.pairs import vote_of_pair
from annotation.judgment_import.shapes import Shape
from annotation.judgment_import.targets import ImportConflict, open_targets, settle
from annotation.judgment_import.writer import JudgmentWriter
from annotation.models import Campaign
from annotation.pair_lines import parse_pairs
from core.errors import ConcordError
from generation.models import PromptSet

__all__ = ["ImportConflict", "ImportRefused", "PairImport", "import_preference_pairs"]

BATCH = 2000
MAX_PROBLEMS_SHOWN = 20


class ImportRefused(ConcordError):
    """Some lines cannot be imported, so none was. `problems` holds (line number, reason) pairs."""

    status = 422
    title = "Nothing was imported"

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        self.problems = problems
        shown = "; ".join(f"line {number}: {reason}" for number, reason in problems[:MAX_PROBLEMS_SHOWN])
        rest = len(problems) - MAX_PROBLEMS_SHOWN
        more = f"; and {rest} more" if rest > 0 else ""
        listed = [{"line": number, "reason": reason} for number, reason in problems]
        super().__init__(f"{len(problems)} malformed line(s): {shown}{more}.", problems=listed)


@dataclass(frozen=True, kw_only=True)
class PairImport:
    """What an import of pairs made."""

    campaign: Campaign
    prompt_set: PromptSet
    num_pairs: int  # new judgments
    num_known: int  # pairs that were there already
    skipped: list[tuple[int, str]]  # (line number, reason) of the lines passed over


def import_preference_pairs(
    *,
    workspace: Workspace,
    name: str,
    lines: Iterable[str],
    held_out_fraction: float = 0.1,
    is_skipping_malformed: bool = False,
    user: User | None = None,
) -> PairImport:
    """Import a file of pairs as the closed campaign `name`, all or nothing; importing it again adds nothing.

    Raises `ImportRefused` with every malformed line; with `is_skipping_malformed` only if no line is usable.
    """
    pairs, problems = parse_pairs(lines)
    if not pairs or (problems and not is_skipping_malformed):
        raise ImportRefused(problems or [(1, "the file holds no pair; expected one JSON object a line")])
    with transaction.atomic():
        campaign, prompt_set = open_targets(
            workspace=workspace, name=name, held_out_fraction=held_out_fraction, user=user
        )
        writer, shape = JudgmentWriter(campaign=campaign, prompt_set=prompt_set), Shape()
        for start in range(0, len(pairs), BATCH):
            votes = [check_vote(vote_of_pair(pair)) for pair in pairs[start : start + BATCH]]
            writer.write(votes)
            shape |= votes[0].shape  # all pairs are alike
        settle(campaign, shape, writer.largest_overlap())
    counts = writer.counts
    return PairImport(
        campaign=campaign,
        prompt_set=prompt_set,
        num_pairs=counts.num_added,
        num_known=counts.num_known,
        skipped=problems,
    )
