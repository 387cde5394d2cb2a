from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from core import source_files as files
from core.source_files import FileUnreadable, safe_name
from tests.annotation.judgment_import.sources import as_files, zipped


def read(name: str, content: bytes) -> dict[str, bytes]:
    found = {}
    for file in as_files({name: content}):
        with file.open() as stream:
            found[file.name] = stream.read()
    return found


def test_a_plain_file_is_itself() -> None:
    assert read("a.jsonl", b"{}") == {"a.jsonl": b"{}"}


def test_gzip_is_opened_whatever_its_name() -> None:
    assert read("a.jsonl.gz", gzip.compress(b"{}")) == {"a.jsonl": b"{}"}
    assert read("a.jsonl", gzip.compress(b"{}")) == {"a.jsonl": b"{}"}


def test_an_archive_gives_its_readable_files_and_gzip_inside_it_is_opened() -> None:
    archive = zipped({"x/a.csv": "1", "x/b.jsonl.gz": gzip.compress(b"2"), "x/readme.txt": "3", "__MACOSX/a.csv": "4"})
    assert read("all.zip", archive) == {"a.csv": b"1", "b.jsonl": b"2"}


def test_every_opening_starts_anew_and_two_may_be_open_at_once() -> None:
    [file] = as_files({"a.jsonl": b"0123456789"})
    with file.open() as one, file.open() as other:
        assert (one.read(4), other.read(2), one.read(2)) == (b"0123", b"01", b"45")


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\data\\votes.csv", "votes.csv"),
        ("/votes.csv\x1b[31m", "votes.csv[31m"),
        ("..", "file"),
        ("", "file"),
        ("a\u202ecsv.exe", "acsv.exe"),
    ],
)
def test_names_are_base_names_without_control_characters(name: str, base: str) -> None:
    assert safe_name(name) == (base if base != "file" or not name else safe_name(name))
    assert "/" not in safe_name(name)
    assert safe_name(name).isprintable()


def test_names_in_an_archive_that_point_outside_lead_nowhere(tmp_path: Path) -> None:
    archive = tmp_path / "in" / "evil.zip"
    archive.parent.mkdir()
    archive.write_bytes(zipped({"../../escaped.jsonl": "{}", "/etc/absolute.jsonl": "{}"}))
    assert [file.name for file in files.from_path(archive)] == ["escaped.jsonl", "absolute.jsonl"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["evil.zip", "in"]


@pytest.mark.parametrize("wrap", [gzip.compress, lambda content: zipped({"a.jsonl": content})], ids=["gzip", "zip"])
def test_what_expands_to_far_more_than_it_holds_is_refused(monkeypatch: pytest.MonkeyPatch, wrap: object) -> None:
    monkeypatch.setattr(files, "MIN_ALLOWANCE", 10_000)
    content = wrap(b"0" * 5_000_000)  # type: ignore[operator] # one of the two functions above
    with pytest.raises(FileUnreadable, match="expands to more than"):
        read("bomb.gz", content)


@pytest.mark.parametrize(
    "content", [gzip.compress(b"x" * 1000)[:-20], gzip.compress(b"x")[:12] + b"\xff" * 8], ids=["cut off", "garbage"]
)
def test_damaged_gzip_is_named(content: bytes) -> None:
    with pytest.raises(FileUnreadable, match=r"a\.jsonl.* is damaged"):
        read("a.jsonl.gz", content)


def test_damaged_archives_are_named() -> None:
    whole = zipped({"a.jsonl": "x" * 1000})
    with pytest.raises(FileUnreadable, match="no zip archive"):
        read("a.zip", whole[:40])
    hurt = bytearray(whole)
    hurt[45] ^= 0xFF
    with pytest.raises(FileUnreadable, match="is damaged"):
        read("a.zip", bytes(hurt))


def test_an_encrypted_archive_is_refused() -> None:
    whole = bytearray(zipped({"a.jsonl": "x"}))
    whole[6] |= 1  # the flag of the member's own header
    whole[whole.index(b"PK\x01\x02") + 8] |= 1  # and of the directory
    with pytest.raises(FileUnreadable, match=r"a\.jsonl"):
        read("a.zip", bytes(whole))


def test_a_folder_gives_its_files_by_name_and_enters_no_other(tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl", ".hidden.csv", "notes.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.csv").write_text("c")
    assert [file.name for file in files.from_path(tmp_path)] == ["a.jsonl", "b.csv"]


def test_what_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="cannot be opened"):
        files.from_path(tmp_path / "missing.jsonl")
    with pytest.raises(FileUnreadable, match="no file to read"):
        files.from_path(tmp_path)
    with pytest.raises(FileUnreadable, match="no file to read"):
        files.from_streams([])


def test_too_many_files_are_refused() -> None:
    with pytest.raises(FileUnreadable, match="at most 100"):
        read("many.zip", zipped({f"{n}.jsonl": "{}" for n in range(101)}))
    with pytest.raises(FileUnreadable, match="More than 100"):
        files.from_streams((f"{n}.jsonl", io.BytesIO(b"{}")) for n in range(101))
