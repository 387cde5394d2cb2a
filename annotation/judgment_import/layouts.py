"""The layouts that can be imported, and how the layout of what was handed in is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from annotation.judgment_import import argilla, concord, label_studio, llmfao, oasst, pairs
from annotation.judgment_import.votes import ImportedVote
from core.errors import ConcordError
from core.source_files import SourceFile
from core.source_rows import LineMalformed, Row, read_rows

NUM_ROWS_LOOKED_AT = 20
VotesOfRow = Callable[[Row], list[ImportedVote]]


class LayoutUnknown(ConcordError):
    """Nothing here reads such rows, or no such layout exists."""

    status = 422
    title = "The layout of this file is not known"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way in which others write judgments down."""

    name: str
    title: str  # for people
    is_like: Callable[[Row], bool]  # whether a row looks like it
    votes_of: VotesOfRow


@dataclass(frozen=True, kw_only=True)
class ReadRow:
    """One row, and its votes or what is wrong with it."""

    file: str
    number: int
    votes: Sequence[ImportedVote] = ()
    problem: str = ""


def _has(*names: str) -> Callable[[Row], bool]:
    return lambda row: set(names) <= row.keys()


ROW_LAYOUTS = [
    Layout(
        name="concord", title="Concord’s own export", is_like=_has("judgment_id", "prompt", "completions", "answer"),
        votes_of=concord.judgment_votes,
    ),
    Layout(
        name="oasst", title="Open-Assistant trees with ranks", is_like=_has("message_tree_id", "prompt"),
        votes_of=oasst.tree_votes,
    ),
    Layout(
        name="label_studio", title="Label Studio export (JSON)", is_like=_has("data", "annotations"),
        votes_of=label_studio.task_votes,
    ),
    Layout(
        name="argilla", title="Argilla records (1.x feedback, 2.x to_json)", is_like=_has("fields", "responses"),
        votes_of=argilla.record_votes,
    ),
    Layout(
        name="trl", title="TRL preference pairs", is_like=_has("prompt", "chosen", "rejected"),
        votes_of=pairs.pair_votes,
    ),
    Layout(name="hh_rlhf", title="hh-rlhf dialogues", is_like=_has("chosen", "rejected"), votes_of=pairs.pair_votes),
]  # fmt: skip
LLMFAO = "llmfao"
TITLES = {**{layout.name: layout.title for layout in ROW_LAYOUTS}, LLMFAO: "llmfao votes (CSV with pairs)"}


def read_votes(files: Sequence[SourceFile], layout: str | None = None) -> Iterator[ReadRow]:
    """Every row of every file in the named layout, or in the one that they look like. Raises `FileUnreadable` and
    `LayoutUnknown`."""
    name = layout or detect(files)
    if name == LLMFAO:
        voted = llmfao.vote_files(files)
        if not voted:
            raise LayoutUnknown("llmfao's votes are in a file whose name ends with comparisons.csv; there is none.")
        of_file = llmfao.row_reader(files)
    else:
        votes_of = _named(name).votes_of
        of_file, voted = lambda _: votes_of, list(files)
    for file in voted:
        yield from _read_file(file, of_file(file))


def detect(files: Sequence[SourceFile]) -> str:
    """The name of the layout that the files look like. Raises `LayoutUnknown` or `FileUnreadable`."""
    if llmfao.vote_files(files):
        return LLMFAO
    keys: set[str] = set()
    for number, (_, row) in enumerate(read_rows(files[0])):
        if isinstance(row, dict):
            for layout in ROW_LAYOUTS:
                if layout.is_like(row):
                    return layout.name
            keys |= row.keys()
        if number >= NUM_ROWS_LOOKED_AT:
            break
    shown = ", ".join(sorted(map(repr, keys))[:8]) or "no readable row"
    raise LayoutUnknown(
        f"{files[0].name} looks like none of {', '.join(TITLES)}: its first rows have {shown}. Name the layout."
    )


def _named(name: str) -> Layout:
    for layout in ROW_LAYOUTS:
        if layout.name == name:
            return layout
    raise LayoutUnknown(f"There is no layout {name!r}; known are {', '.join(TITLES)}.")


def _read_file(file: SourceFile, votes_of: VotesOfRow) -> Iterator[ReadRow]:
    for number, row in read_rows(file):
        if isinstance(row, LineMalformed):
            yield ReadRow(file=file.name, number=number, problem=str(row))
            continue
        try:
            yield ReadRow(file=file.name, number=number, votes=votes_of(row))
        except LineMalformed as error:
            yield ReadRow(file=file.name, number=number, problem=str(error))
        except RecursionError:
            yield ReadRow(file=file.name, number=number, problem="messages are nested too deep")
