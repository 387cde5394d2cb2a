"""Rows of a Parquet file, a few at a time, with nested columns as lists and objects."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from core.source_files import FileUnreadable, SourceFile

PARQUET_MAGIC = b"PAR1"
ROWS_AT_ONCE = 64  # few, for a row may hold a long dialogue and a small file may expand to a large one
BYTES_IN_MEMORY = 16 * 2**20


def parquet_rows(file: SourceFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every row with its number, from 1. Raises `FileUnreadable`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    with file.open() as stream, _seekable(stream) as whole:
        try:
            for batch in pq.ParquetFile(whole).iter_batches(batch_size=ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            words = str(error).splitlines()[0][:200]
            raise FileUnreadable(f"{file.name}: the Parquet file is damaged after row {number}: {words}.") from None


def _seekable(stream: IO[bytes]) -> IO[bytes]:
    """Parquet is read from its end; what was compressed once more is expanded beforehand."""
    if stream.seekable():
        return stream
    whole = tempfile.SpooledTemporaryFile(max_size=BYTES_IN_MEMORY)  # noqa: SIM115 -- the caller closes it
    shutil.copyfileobj(stream, whole)
    whole.seek(0)
    return whole
