"""The files of a finished dataset: rows to look at, and downloads that a client can cache by hash."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import pyarrow.parquet as pq
from django.http import FileResponse, HttpRequest, HttpResponseBase
from django.utils.cache import get_conditional_response

from annotation.dataset_paths import existing_file
from annotation.models import Dataset

CONTENT_TYPES = {"parquet": "application/vnd.apache.parquet", "jsonl": "application/x-ndjson"}


class ParquetRows(Sequence[dict[str, Any]]):
    """The rows of a Parquet file; a slice reads only the row groups that it touches."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if not isinstance(index, slice):
            return self[index : index + 1][0]
        start, stop, _ = index.indices(len(self))
        rows: list[dict[str, Any]] = []
        first = 0
        for number in range(self._file.num_row_groups):
            num_rows = self._file.metadata.row_group(number).num_rows
            if first < stop and first + num_rows > start:
                group = self._file.read_row_group(number)
                begin = max(0, start - first)
                rows += group.slice(begin, min(stop - first, num_rows) - begin).to_pylist()
            first += num_rows
        return rows


def rows_of(dataset: Dataset) -> ParquetRows:
    """Raises `DatasetNotReady` or `DatasetFileMissing`."""
    return ParquetRows(existing_file(dataset, dataset.parquet_path))


def download(request: HttpRequest, dataset: Dataset, file_format: str) -> HttpResponseBase:
    """The file, streamed, with its SHA-256 as ETag; 304 if the client has it. Raises like `rows_of`."""
    is_parquet = file_format == "parquet"
    path = existing_file(dataset, dataset.parquet_path if is_parquet else dataset.jsonl_path)
    etag = f'"{dataset.sha256 if is_parquet else dataset.jsonl_sha256}"'
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    if response is None:
        name = f"{dataset.name}.{file_format}"
        response = FileResponse(
            path.open("rb"), as_attachment=True, filename=name, content_type=CONTENT_TYPES[file_format]
        )
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response
