"""The llmfao votes: CSV rows of a worker (or of GPT-4) who saw two models' replies left and right.

Four kinds of file belong together: `*comparisons.csv` with the votes, `pairs*.jsonl` with the texts behind each pair's
number, `models.jsonl` with the models' names, and `prompts.jsonl`, which is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from annotation.judgment_import.votes import ImportedReply, ImportedVote, SourceAnnotator
from core.source_files import FileUnreadable, SourceFile
from core.source_rows import LineMalformed, Row, read_rows
from generation.prompt_lines import check_conversation

TIERS = {"left": [[0], [1]], "right": [[1], [0]], "tie": [[0, 1]]}
JUDGES = {"gpt4": "GPT-4"}  # the file's first word → the judge's name
VOTE_COLUMNS = ("id", "winner", "left", "right")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two replies to one prompt."""

    messages: list[dict[str, str]]
    tags: tuple[str, ...]
    texts: dict[str, str]  # model name → text


def vote_files(files: Sequence[SourceFile]) -> list[SourceFile]:
    return [file for file in files if file.name.endswith("comparisons.csv")]


def row_reader(files: Sequence[SourceFile]) -> Callable[[SourceFile], Callable[[Row], list[ImportedVote]]]:
    """file of votes → (row → its vote). The texts of all pairs are kept in memory. Raises `FileUnreadable`."""
    pairs = _pairs(files)

    def of_file(file: SourceFile) -> Callable[[Row], list[ImportedVote]]:
        first_word = file.name.split("-")[0]
        judge = SourceAnnotator(kind="judge", id=JUDGES.get(first_word, first_word))
        return lambda row: [_vote(row, pairs, judge)]

    return of_file


def _vote(row: Row, pairs: dict[str, Pair], judge: SourceAnnotator) -> ImportedVote:
    if missing := [name for name in VOTE_COLUMNS if name not in row]:
        raise LineMalformed(f"the column {missing[0]} is missing")
    if row["winner"] not in TIERS:
        raise LineMalformed(f"winner must be left, right or tie, got {row['winner']!r}")
    pair = pairs.get(row["id"])
    if pair is None:
        raise LineMalformed(f"no file of pairs has the pair {row['id']!r}")
    if {row["left"], row["right"]} != set(pair.texts):
        raise LineMalformed(f"pair {row['id']} is of {' and '.join(pair.texts)}, not {row['left']} and {row['right']}")
    worker = row.get("worker")
    return ImportedVote(
        messages=pair.messages,
        replies=tuple(ImportedReply(text=pair.texts[name], model=name) for name in (row["left"], row["right"])),
        answer={"tiers": TIERS[row["winner"]]},
        annotator=SourceAnnotator(kind="person", id=worker) if worker else judge,
        tags=pair.tags,
    )


def _pairs(files: Sequence[SourceFile]) -> dict[str, Pair]:
    names = {str(row.get("id")): str(row.get("name")) for row in _all_rows(files, "models")}
    pairs = {str(row.get("id")): _pair(row, names) for row in _all_rows(files, "pairs")}
    if not pairs:
        raise FileUnreadable(
            "The votes need the texts that they are about: hand in pairs-*.jsonl and models.jsonl too."
        )
    return pairs


def _pair(row: Row, names: dict[str, str]) -> Pair:
    texts = {
        names.get(str(row.get(f"model_{side}")), str(row.get(f"model_{side}"))): str(row.get(f"result_{side}", ""))
        for side in "xy"
    }
    try:
        messages = check_conversation(row.get("text"))
    except LineMalformed as error:
        raise FileUnreadable(f"Pair {row.get('id')!r}: {error}.") from None
    return Pair(messages=messages, tags=(str(row["type"]),) if row.get("type") else (), texts=texts)


def _all_rows(files: Sequence[SourceFile], prefix: str) -> Iterator[Row]:
    for file in files:
        if file.name.startswith(prefix) and file.name.endswith((".jsonl", ".json")):
            for number, row in read_rows(file):
                if isinstance(row, LineMalformed):
                    raise FileUnreadable(f"{file.name}, row {number}: {row}.")
                yield row
