"""Rows of a file, one at a time: JSON Lines, a JSON array of any length, CSV with a header, or Parquet.

A row that cannot be read is handed on as a `LineMalformed` with its number; a file that cannot be read any further is a
`FileUnreadable`. Numbers count lines of JSON Lines, elements of an array, rows below the header of a CSV,
rows of a Parquet file; from 1.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from core.parquet_rows import PARQUET_MAGIC, parquet_rows
from core.source_files import READ_BYTES, FileUnreadable, SourceFile

MAX_ROW_BYTES = 8 * 2**20
MAX_DEPTH = 500  # of nested objects; a tree of messages is about ten deep
BLANKS = re.compile(r"[ \t\r\n]*")
Row = dict[str, Any]


class LineMalformed(ValueError):
    """One row is not what its layout asks for; the message is the reason."""


NumberedRow = tuple[int, Row | LineMalformed]


def read_rows(file: SourceFile) -> Iterator[NumberedRow]:
    """Every row with its number. Raises `FileUnreadable`."""
    with file.open() as stream:
        head = stream.read(4096)
    if head.startswith(PARQUET_MAGIC):
        yield from ((number, _checked(row)) for number, row in parquet_rows(file))
        return
    _check_is_text(file.name, head)
    if file.name.lower().endswith(".csv"):
        read = _csv_rows
    elif head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
        read = _array_rows
    else:
        read = _line_rows
    with file.open() as stream:
        for number, row in read(file.name, stream):
            yield number, _checked(row)


def _check_is_text(name: str, head: bytes) -> None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileUnreadable(f"{name} is written in UTF-16; save it as UTF-8.")
    if not head.strip():
        raise FileUnreadable(f"{name} is empty.")
    if b"\x00" in head:
        raise FileUnreadable(f"{name} holds NUL bytes: it is neither JSON, JSON Lines or CSV in UTF-8 nor Parquet.")


def _checked(row: Row | LineMalformed) -> Row | LineMalformed:
    if isinstance(row, LineMalformed):
        return row
    try:
        return LineMalformed(reason) if (reason := _unstorable(row)) else row
    except RecursionError:
        return LineMalformed("brackets are nested too deep")


def _unstorable(value: object, depth: int = 0) -> str:
    """Why PostgreSQL could not hold this text as it is, or nothing."""
    if depth > MAX_DEPTH:
        return "brackets are nested too deep"
    if isinstance(value, str):
        if "\x00" in value:
            return "a text holds a NUL character (\\u0000)"
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            return "a text holds half of a surrogate pair (\\ud800 to \\udfff)"
        return ""
    if isinstance(value, dict):
        parts: Any = (part for pair in value.items() for part in pair)
    else:
        parts = value if isinstance(value, list) else ()
    return next((reason for part in parts if (reason := _unstorable(part, depth + 1))), "")


def _line_rows(name: str, stream: IO[bytes]) -> Iterator[NumberedRow]:
    number = 0
    while line := stream.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(line) > MAX_ROW_BYTES:
            _skip_line(stream, line)
            yield number, LineMalformed(f"longer than {MAX_ROW_BYTES:,} bytes")
        elif line.strip(codecs.BOM_UTF8 + b" \t\r\n"):
            yield number, _parsed_line(line)


def parse_object(line: str) -> Row:
    """One line as a JSON object. Raises `LineMalformed`."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise LineMalformed(f"not valid JSON ({error.msg} at character {error.pos + 1})") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets thousands deep
        raise LineMalformed(f"not valid JSON ({error})") from None
    if not isinstance(row, dict):
        raise LineMalformed(f"expected a JSON object, got {type(row).__name__}")
    return row


def _skip_line(stream: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(READ_BYTES)


def _parsed_line(line: bytes) -> Row | LineMalformed:
    try:
        return parse_object(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return LineMalformed(f"not UTF-8: {error.reason} at byte {error.start + 1}")
    except LineMalformed as error:
        return error


def _array_rows(name: str, stream: IO[bytes]) -> Iterator[NumberedRow]:
    """The elements of one JSON array, without holding the array: what cannot be parsed yet waits for more text."""
    decoder = json.JSONDecoder()
    text = _Text(name, stream)
    text.expect("[", "a JSON array")
    number = 0
    while text.first() != "]":
        number += 1
        if number > 1:
            text.expect(",", f"a comma before row {number}")
        element = text.take(decoder, number)
        yield (
            number,
            element if isinstance(element, dict) else LineMalformed(f"expected an object, got {_kind(element)}"),
        )


class _Text:
    """A window over decoded text that grows at its end and is cut at its front."""

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        self._name, self._stream = name, stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._place = "", 0  # what lies before the place has been taken
        self._is_ended, self._num_bytes = False, 0

    def first(self) -> str:
        """The next character that is no blank."""
        while True:
            self._place = BLANKS.match(self._text, self._place).end()  # type: ignore[union-attr] # matches always
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._grow():
                raise FileUnreadable(f"{self._name} ends in the middle of its JSON array.")

    def expect(self, character: str, meaning: str) -> None:
        found = self.first()
        if found != character:
            raise FileUnreadable(f"{self._name}: expected {meaning}, found {found!r}. What follows cannot be read.")
        self._place += 1

    def take(self, decoder: json.JSONDecoder, number: int) -> object:
        """The next value."""
        self.first()
        while True:
            try:
                value, self._place = decoder.raw_decode(self._text, self._place)
            except (ValueError, RecursionError) as error:
                is_long = len(self._text) - self._place > MAX_ROW_BYTES
                if is_long or isinstance(error, RecursionError) or not self._grow():
                    raise FileUnreadable(
                        f"{self._name}: row {number} is no valid JSON, or longer than {MAX_ROW_BYTES:,} characters "
                        f"({str(error)[:200]}). What follows it cannot be read."
                    ) from None
            else:
                return value

    def _grow(self) -> bool:
        if self._is_ended:
            return False
        piece = self._stream.read(READ_BYTES)
        self._is_ended = not piece
        try:
            self._text = self._text[self._place :] + self._decoder.decode(piece, final=self._is_ended)
            self._place = 0
        except UnicodeDecodeError as error:
            place = self._num_bytes + error.start + 1
            raise FileUnreadable(f"{self._name} is not UTF-8: {error.reason} near byte {place:,}.") from None
        self._num_bytes += len(piece)
        return not self._is_ended


def _csv_rows(name: str, stream: IO[bytes]) -> Iterator[NumberedRow]:
    csv.field_size_limit(MAX_ROW_BYTES)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    reader = csv.DictReader(_bounded_lines(name, text), strict=True)
    number = 0
    try:
        for row in reader:
            number += 1
            yield number, _csv_row(row)
    except csv.Error as error:
        raise FileUnreadable(f"{name}: row {number + 1} is no CSV ({error}). What follows cannot be read.") from None
    except UnicodeDecodeError as error:
        raise FileUnreadable(f"{name} is not UTF-8 after row {number}: {error.reason}.") from None


def _bounded_lines(name: str, text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_ROW_BYTES):
        if len(line) == MAX_ROW_BYTES and not line.endswith("\n"):
            raise FileUnreadable(f"{name} has a line of more than {MAX_ROW_BYTES:,} characters: it is no CSV.")
        yield line


def _csv_row(row: dict[Any, Any]) -> Row | LineMalformed:
    if None in row:
        return LineMalformed("more cells than the header has columns")
    if None in row.values():
        return LineMalformed("fewer cells than the header has columns")
    return row


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else type(value).__name__
