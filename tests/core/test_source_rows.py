from __future__ import annotations

import codecs
import json

import pytest

from core import source_rows as rows
from core.source_files import FileUnreadable
from core.source_rows import LineMalformed, read_rows
from tests.annotation.judgment_import.sources import as_files


def read(content: bytes | str, name: str = "a.jsonl") -> list[tuple[int, object]]:
    """Rows, and the reasons of malformed ones as texts."""
    [file] = as_files({name: content})
    return [(number, str(row) if isinstance(row, LineMalformed) else row) for number, row in read_rows(file)]


def test_lines_are_counted_with_blank_ones_and_a_byte_order_mark_is_no_text() -> None:
    assert read(codecs.BOM_UTF8 + b'{"a": 1}\r\n\n  \n{"a": 2}') == [(1, {"a": 1}), (4, {"a": 2})]


def test_a_malformed_line_does_not_end_the_file() -> None:
    assert [number for number, row in read('{"a": 1}\n{"a":\n[1]\n{"a": 2}\n') if isinstance(row, str)] == [2, 3]


def test_wrong_bytes_in_a_line_are_reported_with_their_place() -> None:
    content = b'{"a": 1}\n{"a": "\xe9t\xe9"}\n'
    assert read(content)[1] == (2, "not UTF-8: invalid continuation byte at byte 8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_another_encoding_is_named(encoding: str) -> None:
    with pytest.raises(FileUnreadable, match=r"UTF-16|NUL"):
        read('{"a": 1}'.encode(encoding))


def test_a_huge_line_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 100)
    monkeypatch.setattr(rows, "READ_BYTES", 10)
    long = json.dumps({"a": "x" * 500})
    assert read(f'{{"a": 1}}\n{long}\n{{"a": 2}}') == [(1, {"a": 1}), (2, "longer than 100 bytes"), (3, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": [{"b": "\\ud800"}]}', "surrogate"),
        ('{"\\ud800": 1}', "surrogate"),
        ('{"a": ' + "[" * 600 + "]" * 600 + "}", "nested too deep"),
        ("[" * 100_000, "not valid JSON|nested"),
    ],
)
def test_what_cannot_be_stored_is_malformed(line: str, reason: str) -> None:
    [(number, found)] = read(line if line.startswith("{") else '{"a": ' + line)
    assert number == 1
    assert isinstance(found, str)
    assert any(word in found for word in reason.split("|"))


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert read('{"a": "\\ud83d\\ude00"}') == [(1, {"a": "😀"})]


def test_an_array_is_read_element_by_element_across_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "READ_BYTES", 7)  # cuts characters and numbers in two
    wanted = [{"text": f"ü😀 {n}", "n": n * 1000} for n in range(20)]
    content = json.dumps(wanted, ensure_ascii=False, indent=1).encode()
    assert read(content, "a.json") == list(enumerate(wanted, start=1))


def test_elements_that_are_no_objects_are_malformed() -> None:
    assert read('[{"a": 1}, "x", [2]]', "a.json") == [
        (1, {"a": 1}),
        (2, "expected an object, got str"),
        (3, "expected an object, got a list"),
    ]


@pytest.mark.parametrize(
    "content", ['[{"a": 1}', '[{"a": 1} {"a": 2}]', '[{"a": 1}, {"a": }]', "[,]", '[{"a": "\udcff"}]']
)
def test_a_broken_array_says_where(content: str) -> None:
    with pytest.raises(FileUnreadable, match=r"a\.json.*(row|comma|ends|UTF-8)"):
        read(content.encode("utf-8", "surrogateescape"), "a.json")


def test_a_huge_element_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 1000)
    monkeypatch.setattr(rows, "READ_BYTES", 100)
    with pytest.raises(FileUnreadable, match="longer than 1,000"):
        read(json.dumps([{"a": "x" * 5000}]), "a.json")


def test_csv_rows_are_counted_below_the_header() -> None:
    assert read('a,b\n1,"two\nlines"\n3\n4,5,6\n', "a.csv") == [
        (1, {"a": "1", "b": "two\nlines"}),
        (2, "fewer cells than the header has columns"),
        (3, "more cells than the header has columns"),
    ]


@pytest.mark.parametrize("content", [b'a,b\n1,"2"x\n', b"a,b\n1,\xff\n", b'a,b\n1,"open\n'])
def test_broken_csv_says_after_which_row(content: bytes) -> None:
    with pytest.raises(FileUnreadable, match=r"a\.csv.* row"):
        read(content, "a.csv")


def test_a_csv_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 100)
    with pytest.raises(FileUnreadable, match="it is no CSV"):
        read("a,b\n" + "x" * 1000, "a.csv")


@pytest.mark.parametrize("content", ["", "  \n \n"])
def test_an_empty_file_is_named(content: str) -> None:
    with pytest.raises(FileUnreadable, match="is empty"):
        read(content)
