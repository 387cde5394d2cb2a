"""Small files of every layout, written for these tests."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core import source_files as files
from core.source_files import SourceFile


def as_files(contents: Mapping[str, bytes | str]) -> list[SourceFile]:
    """Uploaded files of these contents."""
    return files.from_streams(
        (name, io.BytesIO(content.encode() if isinstance(content, str) else content))
        for name, content in contents.items()
    )


def lines(rows: Iterable[object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def zipped(contents: Mapping[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def pair(prompt: str = "1 + 1?", chosen: str = "2", rejected: str = "3") -> dict[str, str]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def llmfao(votes: Sequence[Sequence[object]], judge_votes: Sequence[Sequence[object]] = ()) -> dict[str, bytes | str]:
    """Two pairs of three models. A vote is (pair, worker, winner); a judge's is (pair, winner)."""
    sides = {"0": ("Ant", "Bee"), "1": ("Cat", "Ant")}
    pairs = [
        {"id": 0, "prompt": 8, "text": "A haiku?", "type": "writing", "model_x": 1, "result_x": "By Ant.", "model_y": 2,
         "result_y": "By Bee."},
        {"id": 1, "prompt": 8, "text": "A haiku?", "type": "writing", "model_x": 1, "result_x": "By Ant.", "model_y": 3,
         "result_y": ""},
    ]  # fmt: skip
    models = [{"id": 1, "name": "Ant"}, {"id": 2, "name": "Bee"}, {"id": 3, "name": "Cat"}]
    rows = [[*vote, *sides[str(vote[0])]] for vote in votes]
    contents: dict[str, bytes | str] = {
        "crowd-comparisons.csv": table(["id", "worker", "winner", "left", "right"], rows),
        "pairs-crowd.jsonl.gz": gzip.compress(lines(pairs).encode()),
        "models.jsonl": lines(models),
    }
    if judge_votes:
        judged = [[*vote, *sides[str(vote[0])]] for vote in judge_votes]
        contents["gpt4-crowd-comparisons.csv"] = table(["id", "winner", "left", "right"], judged)
    return contents


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def message(
    role: str, text: str, *, rank: int | None = None, replies: Sequence[Any] = (), **more: Any
) -> dict[str, Any]:
    """A message of an Open-Assistant tree."""
    return {"message_id": f"id of {text}", "role": role, "text": text, "rank": rank, "replies": list(replies), **more}


def tree(root: dict[str, Any]) -> dict[str, Any]:
    return {"message_tree_id": root["message_id"], "tree_state": "ready_for_export", "prompt": root}


def task(data: Mapping[str, Any], *annotations: Mapping[str, Any]) -> dict[str, Any]:
    """A Label Studio task."""
    return {"id": 1, "data": dict(data), "annotations": [dict(annotation) for annotation in annotations]}


def annotation(*results: tuple[str, Mapping[str, Any]], by: object = 7, **more: Any) -> dict[str, Any]:
    """A Label Studio annotation of (type, value) results."""
    return {
        "id": 100,
        "completed_by": by,
        "result": [{"from_name": kind, "to_name": "x", "type": kind, "value": dict(value)} for kind, value in results],
        "was_cancelled": False,
        "created_at": "2026-03-01T10:00:00.5Z",
        "lead_time": 4.25,
        **more,
    }
