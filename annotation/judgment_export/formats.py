"""Rows as bytes, piece by piece: JSON Lines, CSV that a spreadsheet cannot be tricked with, Parquet by row groups."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.judgment_export.schema import COLUMNS, JSON_COLUMNS, SCHEMA

Rows = Sequence[tuple[Any, ...]]

Convert = Callable[[Any], Any]

GROUP_ROWS = 4000  # of a Parquet row group, and what is in memory at once
# A cell that starts with one of these is a formula to some spreadsheet (OWASP, CSV Injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

BOOLEAN_COLUMNS = [field.name for field in SCHEMA if pa.types.is_boolean(field.type)]
TEXT_COLUMNS = [field.name for field in SCHEMA if pa.types.is_string(field.type) and field.name not in JSON_COLUMNS]
TIME_COLUMNS = [field.name for field in SCHEMA if pa.types.is_timestamp(field.type)]  # ISO 8601 from PostgreSQL


def jsonl_pieces(pages: Iterable[Rows]) -> Iterator[bytes]:
    """One object a line; columns that are JSON already are embedded as they are."""
    line = "{" + ",".join(f'"{name}":%s' for name in COLUMNS) + "}\n"
    convert = _converter(
        dict.fromkeys(COLUMNS, _embedded)
        | dict.fromkeys([*TEXT_COLUMNS, *TIME_COLUMNS], _quoted)
        | dict.fromkeys(BOOLEAN_COLUMNS, _boolean)
    )
    for page in pages:
        yield "".join([line % tuple(convert(row)) for row in page]).encode()


def csv_pieces(pages: Iterable[Rows]) -> Iterator[bytes]:
    """A header and one line a row; lists are JSON; a text that could be a formula gets an apostrophe before it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    convert = _converter(dict.fromkeys(TEXT_COLUMNS, _guarded_cell) | dict.fromkeys(BOOLEAN_COLUMNS, _boolean))
    for page in pages:
        writer.writerows([convert(row) for row in page])
        yield _taken(buffer)
    yield _taken(buffer)


def parquet_pieces(pages: Iterable[Rows]) -> Iterator[bytes]:
    """A Parquet file as it is written; lists are lists, prompt and answer are JSON texts."""
    sink = _Sink()
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        for rows in _groups(pages):
            writer.write_table(_table(rows), row_group_size=GROUP_ROWS)
            yield sink.taken()
    yield sink.taken()


PIECES: dict[str, Callable[[Iterable[Rows]], Iterator[bytes]]] = {
    "jsonl": jsonl_pieces,
    "csv": csv_pieces,
    "parquet": parquet_pieces,
}


def guarded(text: str) -> str:
    """The text, unless a spreadsheet would run it: then after an apostrophe, which it takes for "this is text"."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


class _Sink(io.RawIOBase):
    """Takes what a writer writes until somebody takes it away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._num_written = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        content = bytes(piece)
        self._pieces.append(content)
        self._num_written += len(content)
        return len(content)

    def tell(self) -> int:
        return self._num_written

    def taken(self) -> bytes:
        content, self._pieces = b"".join(self._pieces), []
        return content


def _converter(conversions: Mapping[str, Convert]) -> Callable[[Sequence[Any]], list[Any]]:
    """A row with some of its columns converted."""
    places = [(COLUMNS.index(name), convert) for name, convert in conversions.items()]

    def converted(row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for place, convert in places:
            values[place] = convert(values[place])
        return values

    return converted


def _embedded(value: Any) -> Any:
    """JSON text and numbers stand as they are."""
    return "null" if value is None else value


def _quoted(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _guarded_cell(value: str | None) -> str | None:
    return value if value is None else guarded(value)


def _taken(buffer: io.StringIO) -> bytes:
    content = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return content


def _groups(pages: Iterable[Rows]) -> Iterator[list[tuple[Any, ...]]]:
    rows: list[tuple[Any, ...]] = []
    for page in pages:
        rows.extend(page)
        if len(rows) >= GROUP_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _table(rows: Rows) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    arrays = []
    for field, values in zip(SCHEMA, columns, strict=True):
        if field.name in JSON_COLUMNS and not pa.types.is_string(field.type):
            values = tuple(None if value is None else json.loads(value) for value in values)
        is_time = pa.types.is_timestamp(field.type)
        arrays.append(pa.array(values).cast(field.type) if is_time else pa.array(values, type=field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
