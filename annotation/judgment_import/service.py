"""Importing judgments and looking at what an import would make: the one service of command, REST and page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction

from accounts.models import User, Workspace
from annotation.judgment_import.checking import CheckedVote, check_vote
from annotation.judgment_import.layouts import TITLES, ReadRow, detect, read_votes
from annotation.judgment_import.shapes import Shape
from annotation.judgment_import.targets import ImportConflict, open_targets, settle
from annotation.judgment_import.writer import Counts, JudgmentWriter
from annotation.models import Campaign
from annotation.question import Question
from core.row_problems import RowProblem, RowsRefused, RowTally
from core.source_files import SourceFile
from core.source_rows import LineMalformed
from generation.models import PromptSet

CHUNK = 2000  # votes that are stored together
NUM_PREVIEWED = 10


@dataclass(kw_only=True)
class VoteTally(RowTally):
    """What was read so far."""

    num_without_votes: int = 0  # rows in which nobody judged anything
    shape: Shape = field(default_factory=Shape)


@dataclass(frozen=True, kw_only=True)
class JudgmentImport:
    """What an import did."""

    campaign: Campaign
    prompt_set: PromptSet
    layout: str
    num_rows: int
    num_without_votes: int
    num_malformed: int  # rows passed over
    num_added: int  # new judgments, revisions included
    num_revised: int  # of these, such as replace an earlier one of the same annotator
    num_known: int  # votes that were there already
    num_prompts: int  # new
    num_completions: int  # new
    num_comparisons: int  # new
    num_annotators: int  # who voted in these files
    problems: Sequence[RowProblem]  # the first thousand


@dataclass(frozen=True, kw_only=True)
class PreviewedRow:
    """What one row will become: its votes, or why it has none."""

    file: str
    row: int
    votes: Sequence[CheckedVote] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class JudgmentPreview:
    """The first rows of what was handed in."""

    layout: str
    title: str
    question: Question | None  # None if no row shown has a vote
    rows: Sequence[PreviewedRow]


def preview_judgments(
    *, files: Sequence[SourceFile], layout: str | None = None, num_rows: int = NUM_PREVIEWED
) -> JudgmentPreview:
    """The first rows and what they will become; nothing is stored. Raises `FileUnreadable` or `LayoutUnknown`."""
    name = layout or detect(files)
    rows, shape = [], Shape()
    for row in read_votes(files, name):
        votes, problem = _checked(row)
        for one in votes:
            shape |= one.shape
        rows.append(PreviewedRow(file=row.file, row=row.number, votes=votes, problem=problem))
        if len(rows) >= num_rows:
            break
    question = shape.question() if shape.num_completions else None
    return JudgmentPreview(layout=name, title=TITLES[name], question=question, rows=rows)


def import_judgments(
    *,
    workspace: Workspace,
    name: str,
    files: Sequence[SourceFile],
    layout: str | None = None,
    skip_malformed: bool = False,
    held_out_fraction: float = 0.1,
    user: User | None = None,
) -> JudgmentImport:
    """Import votes into the closed campaign `name`, all or nothing; importing them again adds nothing.

    Raises `RowsRefused` naming malformed rows (with `skip_malformed` only if no row is usable), `FileUnreadable`,
    `LayoutUnknown`, `ImportConflict`.
    """
    found = layout or detect(files)
    tally = VoteTally()
    try:
        with transaction.atomic():
            campaign, prompt_set = open_targets(
                workspace=workspace, name=name, held_out_fraction=held_out_fraction, user=user
            )
            writer = JudgmentWriter(campaign=campaign, prompt_set=prompt_set)
            _write(writer, _votes(read_votes(files, found), tally), tally, is_lenient=skip_malformed)
            _refuse_malformed(tally, writer.counts, is_lenient=skip_malformed)
            settle(campaign, tally.shape, writer.largest_overlap())
    except IntegrityError as error:
        raise ImportConflict(
            f"Somebody else changed {name!r} while these judgments were imported; try again. "
            f"({str(error).splitlines()[0]})"
        ) from error
    return JudgmentImport(
        campaign=campaign,
        prompt_set=prompt_set,
        layout=found,
        num_rows=tally.num_rows,
        num_without_votes=tally.num_without_votes,
        num_malformed=tally.num_malformed,
        num_prompts=writer.material.num_prompts,
        num_completions=writer.material.num_completions,
        num_annotators=writer.annotators.num_seen,
        problems=tally.problems,
        **vars(writer.counts),
    )


def _checked(row: ReadRow) -> tuple[list[CheckedVote], str]:
    """The row's votes, or none and the reason."""
    if row.problem:
        return [], row.problem
    try:
        return [check_vote(vote) for vote in row.votes], ""
    except LineMalformed as error:
        return [], str(error)


def _votes(rows: Iterator[ReadRow], tally: VoteTally) -> Iterator[CheckedVote]:
    """The votes of all well-formed rows; what else there is goes to the tally."""
    for row in rows:
        tally.num_rows += 1
        votes, problem = _checked(row)
        if problem:
            tally.note(RowProblem(file=row.file, row=row.number, reason=problem))
        tally.num_without_votes += not votes and not problem
        yield from votes


def _write(writer: JudgmentWriter, votes: Iterator[CheckedVote], tally: VoteTally, *, is_lenient: bool) -> None:
    """Store the votes in chunks. Once the import is bound to be refused, the rest is only read for its problems."""
    chunk: list[CheckedVote] = []
    shapes: set[Shape] = set()
    for vote in votes:
        if tally.num_malformed and not is_lenient:
            continue
        if vote.shape not in shapes:
            shapes.add(vote.shape)
            tally.shape |= vote.shape
        chunk.append(vote)
        if len(chunk) == CHUNK:
            writer.write(chunk)
            chunk = []
    if chunk:
        writer.write(chunk)


def _refuse_malformed(tally: VoteTally, counts: Counts, *, is_lenient: bool) -> None:
    is_empty = not counts.num_added and not counts.num_known
    if not is_empty and (is_lenient or not tally.num_malformed):
        return
    if not tally.num_malformed:
        raise RowsRefused(f"None of the {tally.num_rows} rows holds a judgment.", problems=[])
    raise tally.refusal()
