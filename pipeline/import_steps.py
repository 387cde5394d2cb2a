"""The step that imports a file of preference pairs."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from annotation.models import Campaign
from annotation.pair_import import import_preference_pairs
from core.errors import ConcordError
from core.models import Job
from generation.models import PromptSet
from pipeline.context import Context


class DataFileUnreadable(ConcordError):
    """The file of pairs is absent, not text, or not what its ending says."""

    status = 422
    title = "The data file cannot be read"


MAX_NAME = 100  # characters: what is made from it adds words of its own
MAX_REASONS = 3  # of skipped lines, in the summary


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A text file, unpacked if its name ends in .gz. Raises `DataFileUnreadable`."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            yield file
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataFileUnreadable(f"{path} cannot be read as JSON Lines: {error}.") from error


def start_pairs(context: Context) -> Sequence[Job]:
    path = Path(context.options.data)
    with open_text(path) as file:
        imported = import_preference_pairs(
            workspace=context.workspace,
            name=f"Pairs of {path.name}"[:MAX_NAME],
            lines=file,
            is_skipping_malformed=True,
        )
    context.put("pair_campaign", imported.campaign)
    context.put("prompt_set", imported.prompt_set)
    context.made["num_pairs"] = imported.num_pairs + imported.num_known
    context.made["num_skipped"] = len(imported.skipped)
    context.notes += [f"line {number}: {reason}" for number, reason in imported.skipped[:MAX_REASONS]]
    return []


def conclude_pairs(context: Context) -> str:
    campaign = context.get(Campaign, "pair_campaign")
    prompt_set = context.get(PromptSet, "prompt_set")
    made = context.made
    more = "; …" if made["num_skipped"] > len(context.notes) else ""
    skipped = (
        f", {made['num_skipped']} unusable lines skipped ({'; '.join(context.notes)}{more})" if context.notes else ""
    )
    return f"{made['num_pairs']} pairs on {prompt_set.prompts.count()} prompts as {campaign}{skipped}"
