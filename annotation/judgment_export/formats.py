"""Rows as bytes, piece by piece: JSON Lines, CSV that a spreadsheet cannot be tricked with, Parquet by row groups."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.judgment_export.schema import COLUMNS, JSON_COLUMNS, SCHEMA

Rows = Sequence[tuple[Any, ...]]

Convert = Callable[[Any], Any]

GROUP_ROWS = 5000  # of a Parquet row group, at least
REPEATED_COLUMNS = ["campaign", "annotator", "annotator_kind", "purpose", "consensus_method"]  # worth a dictionary
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
    line = ",".join("%s" for _ in COLUMNS) + "\r\n"
    convert = _converter(
        dict.fromkeys(COLUMNS, _plain_cell)
        | dict.fromkeys(JSON_COLUMNS, _quoted_cell)
        | dict.fromkeys(TEXT_COLUMNS, _guarded_cell)
        | dict.fromkeys(BOOLEAN_COLUMNS, _boolean)
    )
    yield (line % COLUMNS).encode()
    for page in pages:
        yield "".join([line % tuple(convert(row)) for row in page]).encode()


def parquet_pieces(pages: Iterable[Rows]) -> Iterator[bytes]:
    """A Parquet file as it is written; lists are lists, prompt and answer are JSON texts."""
    sink = _Sink()
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd", use_dictionary=REPEATED_COLUMNS) as writer:
        for table in _groups(pages):
            writer.write_table(table, row_group_size=table.num_rows)
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


def _plain_cell(value: Any) -> Any:
    """Numbers and times need no quotes."""
    return "" if value is None else value


def _quoted_cell(value: str | None) -> str:
    """Text in quotes, whatever it holds (RFC 4180)."""
    return "" if value is None else '"' + value.replace('"', '""') + '"'


def _guarded_cell(value: str | None) -> str:
    return "" if value is None else _quoted_cell(guarded(value))


def _groups(pages: Iterable[Rows]) -> Iterator[pa.Table]:
    """Tables of a row group each. A page becomes a table at once: its Python objects weigh ten times as much."""
    tables: list[pa.Table] = []
    for page in pages:
        tables.append(_table(page))
        if sum(table.num_rows for table in tables) >= GROUP_ROWS:
            yield pa.concat_tables(tables)
            tables = []
    if tables:
        yield pa.concat_tables(tables)


def _table(rows: Rows) -> pa.Table:
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    arrays = []
    parse = lru_cache(maxsize=1000)(json.loads)  # orders and tiers are few
    for field, values in zip(SCHEMA, columns, strict=True):
        if field.name in JSON_COLUMNS and not pa.types.is_string(field.type):
            values = [None if value is None else parse(value) for value in values]
        is_time = pa.types.is_timestamp(field.type)
        arrays.append(pa.array(values).cast(field.type) if is_time else pa.array(values, type=field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
