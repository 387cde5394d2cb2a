"""Importing prompts and looking at what an import would make: the one service of page, REST and command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from accounts.models import Workspace
from core.row_problems import RowProblem, RowsRefused, RowTally
from core.source_files import SourceFile
from generation import services
from generation.models import PromptSet
from generation.near_duplicate_index import NearDuplicateIndex
from generation.prompt_import.columns import ColumnMapping
from generation.prompt_import.layouts import TITLES, ImportOptions, PromptRow, read_prompts, settle
from generation.prompt_lines import NewPrompt
from generation.splits import fingerprint

CHUNK = 1000  # prompts that are stored together
NUM_PREVIEWED = 10


@dataclass(kw_only=True)
class PromptTally(RowTally):
    """What was read so far, and what became of it."""

    num_without_prompts: int = 0  # rows that hold none: a deleted tree
    num_added: int = 0
    num_known: int = 0  # in the set before, by fingerprint
    num_repeated: int = 0  # in the files before, by fingerprint
    num_near_duplicates: int = 0  # say what an earlier one says, in other words or blanks


@dataclass(kw_only=True)
class PromptImport(PromptTally):
    """What an import did."""

    prompt_set: PromptSet
    layout: str
    columns: ColumnMapping
    is_skipping_near_duplicates: bool

    @property
    def title(self) -> str:
        return TITLES[self.layout]


@dataclass(frozen=True, kw_only=True)
class PromptPreview:
    """The first rows of what was handed in."""

    layout: str
    columns_found: Sequence[str]
    columns: ColumnMapping  # what is read of a table
    rows: Sequence[PromptRow]

    @property
    def title(self) -> str:
        return TITLES[self.layout]


def preview_prompts(
    *, files: Sequence[SourceFile], options: ImportOptions, num_rows: int = NUM_PREVIEWED
) -> PromptPreview:
    """The first rows and the prompts in them; nothing is stored.

    Raises `FileUnreadable`, `PromptLayoutUnknown`, `ColumnsUnknown`.
    """
    settled, found = settle(files, options)
    rows = []
    for row in read_prompts(files, settled):
        rows.append(row)
        if len(rows) >= num_rows:
            break
    return PromptPreview(layout=settled.layout, columns_found=found, columns=settled.columns, rows=rows)


def import_prompt_set(
    *,
    workspace: Workspace,
    name: str,
    files: Sequence[SourceFile],
    options: ImportOptions,
    skip_malformed: bool = False,
    skip_near_duplicates: bool = False,
    held_out_fraction: float = 0.3,
) -> PromptImport:
    """`import_prompts` into the set of that name, which is made if it is missing. Raises what that raises, and
    `PromptSetRefused`."""
    with transaction.atomic():
        known = PromptSet.objects.filter(workspace=workspace, name=name).first()
        prompt_set = known or services.create_prompt_set(
            workspace=workspace, name=name, source=_sources(files), held_out_fraction=held_out_fraction
        )
        return import_prompts(
            prompt_set=prompt_set,
            files=files,
            options=options,
            skip_malformed=skip_malformed,
            skip_near_duplicates=skip_near_duplicates,
        )


def import_prompts(
    *,
    prompt_set: PromptSet,
    files: Sequence[SourceFile],
    options: ImportOptions,
    skip_malformed: bool = False,
    skip_near_duplicates: bool = False,
) -> PromptImport:
    """Add the prompts of some files, all or nothing; importing them again adds nothing.

    Raises `RowsRefused` naming malformed rows (with `skip_malformed` only if no row is usable), `FileUnreadable`,
    `PromptLayoutUnknown`, `ColumnsUnknown`.
    """
    settled, _ = settle(files, options)
    tally = PromptTally()
    with transaction.atomic():
        PromptSet.objects.select_for_update().get(pk=prompt_set.pk)
        writer = _Writer(prompt_set=prompt_set, tally=tally, skips_near_duplicates=skip_near_duplicates)
        for prompt in _prompts(read_prompts(files, settled), tally):
            if skip_malformed or not tally.num_malformed:  # else only read on for the problems
                writer.take(prompt)
        writer.flush()
        _refuse(tally, is_lenient=skip_malformed)
    return PromptImport(
        prompt_set=prompt_set,
        layout=settled.layout,
        columns=settled.columns,
        is_skipping_near_duplicates=skip_near_duplicates,
        **vars(tally),
    )


@dataclass(kw_only=True)
class _Writer:
    """Stores prompts in chunks; knows what the set and the files held before."""

    prompt_set: PromptSet
    tally: PromptTally
    skips_near_duplicates: bool
    _seen: set[str] = field(default_factory=set)  # fingerprints in these files
    _chunk: dict[str, NewPrompt] = field(default_factory=dict)
    _near: NearDuplicateIndex = field(default_factory=NearDuplicateIndex)

    def __post_init__(self) -> None:
        for messages in self.prompt_set.prompts.values_list("messages", flat=True).order_by("pk").iterator(CHUNK):
            self._near.add(text_of(messages))

    def take(self, prompt: NewPrompt) -> None:
        key = fingerprint(prompt.messages)
        if key in self._seen:
            self.tally.num_repeated += 1
            return
        self._seen.add(key)
        self._chunk[key] = prompt
        if len(self._chunk) == CHUNK:
            self.flush()

    def flush(self) -> None:
        known = set(self.prompt_set.prompts.filter(fingerprint__in=self._chunk).values_list("fingerprint", flat=True))
        self.tally.num_known += len(known)
        fresh = {key: prompt for key, prompt in self._chunk.items() if key not in known}
        near = {key for key, prompt in fresh.items() if self._near.add(text_of(prompt.messages))}
        self.tally.num_near_duplicates += len(near)
        wanted = {key: prompt for key, prompt in fresh.items() if not (self.skips_near_duplicates and key in near)}
        services.store_prompts(prompt_set=self.prompt_set, prompts=wanted)
        self.tally.num_added += len(wanted)
        self._chunk = {}


def text_of(messages: Sequence[Mapping[str, str]]) -> str:
    """A conversation as one text, for comparing it with others; one question alone is itself."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _prompts(rows: Iterator[PromptRow], tally: PromptTally) -> Iterator[NewPrompt]:
    """The prompts of all well-formed rows; what else there is goes to the tally."""
    for row in rows:
        tally.num_rows += 1
        if row.problem:
            tally.note(RowProblem(file=row.file, row=row.number, reason=row.problem))
        tally.num_without_prompts += not row.prompts and not row.problem
        yield from row.prompts


def _refuse(tally: PromptTally, *, is_lenient: bool) -> None:
    is_empty = not (tally.num_added or tally.num_known or tally.num_near_duplicates)
    if tally.num_malformed and (is_empty or not is_lenient):
        raise tally.refusal()
    if is_empty:
        raise RowsRefused(f"None of the {tally.num_rows} rows holds a prompt.", problems=[])


def _sources(files: Sequence[SourceFile]) -> str:
    """What a new set says about where it comes from."""
    return ", ".join(file.name for file in files)[:300]
