from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipeline.import_steps import DataFileUnreadable, open_text

LINES = ["Grüße\n", "second\n"]


def read(path: Path) -> list[str]:
    with open_text(path) as file:
        return list(file)


def test_a_packed_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    plain, packed = tmp_path / "pairs.jsonl", tmp_path / "pairs.jsonl.gz"
    plain.write_text("".join(LINES), encoding="utf-8")
    packed.write_bytes(gzip.compress("".join(LINES).encode()))
    assert read(plain) == read(packed) == LINES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.jsonl.gz", b"not packed at all"),
        ("pairs.jsonl.gz", gzip.compress(b"cut short" * 1000, mtime=0)[:-20]),
        ("pairs.jsonl", b"\xff\xfe latin"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataFileUnreadable, match=f"{name} cannot be read as JSON Lines"):
        read(tmp_path / name)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.jsonl", tmp_path):
        with pytest.raises(DataFileUnreadable):
            read(path)
