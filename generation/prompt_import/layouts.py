"""The layouts in which prompts can be handed in, and how the layout of a file is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from core.errors import ConcordError
from core.source_files import SourceFile
from core.source_rows import LineMalformed, Row, read_rows
from generation.prompt_import.columns import PROMPT_NAMES, ColumnMapping, complete, mapped_prompt
from generation.prompt_import.dialogues import TURNS, alpaca_prompts, oasst_prompts, pair_prompts, sharegpt_prompts
from generation.prompt_lines import NewPrompt, parse_prompt

NUM_ROWS_LOOKED_AT = 20


class PromptLayoutUnknown(ConcordError):
    """Nothing here reads such rows, or no such layout exists."""

    status = 422
    title = "The layout of this file is not known"


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """How a file of prompts is read."""

    layout: str = ""  # a key of TITLES; "" recognises it
    columns: ColumnMapping = field(default_factory=ColumnMapping)  # of tables; naming one makes the file a table
    turns: str = "last"  # which turns of the user become prompts where a conversation has several: first, last, all
    has_references: bool = True  # replies in the file become references

    def __post_init__(self) -> None:
        if self.layout and self.layout not in TITLES:
            raise PromptLayoutUnknown(f"There is no layout {self.layout!r}; known are {', '.join(TITLES)}.")
        if self.turns not in TURNS:
            raise PromptLayoutUnknown(f"turns must be one of {', '.join(TURNS)}, got {self.turns!r}.")


PromptsOfRow = Callable[[Row, ImportOptions], list[NewPrompt]]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way in which prompts are written down."""

    name: str
    title: str  # for people
    is_like: Callable[[Row], bool]  # whether a row looks like it
    prompts_of: PromptsOfRow


@dataclass(frozen=True, kw_only=True)
class PromptRow:
    """One row, and its prompts or what is wrong with it."""

    file: str
    number: int
    prompts: Sequence[NewPrompt] = ()
    problem: str = ""


def _has(*names: str) -> Callable[[Row], bool]:
    return lambda row: set(names) <= row.keys()


def _is_tree(row: Row) -> bool:
    return isinstance(row.get("prompt"), dict) and "role" in row["prompt"]


def _is_answered_chat(row: Row) -> bool:
    """Turns of people and models; as `messages` only if the last is the model's, for otherwise it is a prompt."""
    said = row.get("conversations") or row.get("conversation") or row.get("messages")
    if not isinstance(said, list) or not said or not isinstance(said[-1], dict):
        return False
    return "from" in said[-1] or said[-1].get("role") == "assistant"


def _is_alpaca(row: Row) -> bool:
    return "instruction" in row and bool({"input", "output", "instances"} & row.keys())


def _is_own(row: Row) -> bool:
    return bool({"messages", "prompt"} & row.keys()) and not isinstance(row.get("tags"), str)


def _is_table(row: Row) -> bool:
    return bool({name.lower() for name in row} & set(PROMPT_NAMES))


TABLE = "table"
LAYOUTS = [
    Layout(
        name="oasst", title="Open-Assistant message trees", is_like=_is_tree,
        prompts_of=lambda row, options: oasst_prompts(row, options.turns),
    ),
    Layout(
        name="sharegpt", title="ShareGPT and other chats", is_like=_is_answered_chat,
        prompts_of=lambda row, options: sharegpt_prompts(row, options.turns),
    ),
    Layout(
        name="pairs", title="Preference pairs (hh-rlhf, TRL)", is_like=_has("chosen", "rejected"),
        prompts_of=lambda row, options: pair_prompts(row),
    ),
    Layout(
        name="alpaca", title="Alpaca and self-instruct", is_like=_is_alpaca,
        prompts_of=lambda row, options: alpaca_prompts(row),
    ),
    Layout(
        name="prompts", title="Prompts (Concord’s own)", is_like=_is_own,
        prompts_of=lambda row, options: [parse_prompt(row)],
    ),
    Layout(
        name=TABLE, title="A table with columns", is_like=_is_table,
        prompts_of=lambda row, options: [mapped_prompt(row, options.columns)],
    ),
]  # fmt: skip
TITLES = {layout.name: layout.title for layout in LAYOUTS}


def settle(files: Sequence[SourceFile], options: ImportOptions) -> tuple[ImportOptions, list[str]]:
    """The options with layout and columns as they will be, and the columns of the first rows.

    Raises `PromptLayoutUnknown`, `ColumnsUnknown` or `FileUnreadable`.
    """
    rows = _first_rows(files[0])
    columns = list(dict.fromkeys(name for row in rows for name in row))
    name = options.layout or (TABLE if options.columns else _detect(files[0], rows, columns))
    if name != TABLE:
        return replace(options, layout=name), columns
    return replace(options, layout=name, columns=complete(options.columns, columns)), columns


def read_prompts(files: Sequence[SourceFile], options: ImportOptions) -> Iterator[PromptRow]:
    """Every row of every file, with options from `settle`. Raises `FileUnreadable`."""
    prompts_of = next(layout.prompts_of for layout in LAYOUTS if layout.name == options.layout)
    for file in files:
        for number, row in read_rows(file):
            prompts, problem = _prompts(row, prompts_of, options)
            yield PromptRow(file=file.name, number=number, prompts=prompts, problem=problem)


def _prompts(row: Row | LineMalformed, prompts_of: PromptsOfRow, options: ImportOptions) -> tuple[list[NewPrompt], str]:
    if isinstance(row, LineMalformed):
        return [], str(row)
    try:
        found = prompts_of(row, options)
    except LineMalformed as error:
        return [], str(error)
    except RecursionError:
        return [], "messages are nested too deep"
    return found if options.has_references else [replace(prompt, reference="") for prompt in found], ""


def _first_rows(file: SourceFile) -> list[Row]:
    rows = []
    for number, (_, row) in enumerate(read_rows(file)):
        if isinstance(row, dict):
            rows.append(row)
        if number >= NUM_ROWS_LOOKED_AT:
            break
    return rows


def _detect(file: SourceFile, rows: Sequence[Row], columns: Sequence[str]) -> str:
    is_table = file.name.lower().endswith(".csv")
    for row in rows:
        for layout in LAYOUTS:
            if layout.is_like(row) and not (is_table and layout.name == "prompts"):
                return layout.name
    shown = ", ".join(map(repr, columns[:30])) or "no readable row"
    raise PromptLayoutUnknown(
        f"{file.name} looks like none of {', '.join(TITLES)}: its first rows have {shown}. "
        "Name the layout, or the column that holds the prompt."
    )
