"""The files of a finished dataset: rows to look at, and downloads that a client can cache by hash."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import pyarrow.parquet as pq
from django.http import FileResponse, HttpRequest, HttpResponseBase
from django.utils.cache import get_conditional_response

from annotation.models import Dataset
from core.errors import ConcordError

CONTENT_TYPES = {"parquet": "application/vnd.apache.parquet", "jsonl": "application/x-ndjson"}


class DatasetNotReady(ConcordError):
    """The dataset has no files yet, or never will."""

    status = 409
    title = "This dataset is not finished"


class DatasetFileMissing(ConcordError):
    """The row says that the dataset is finished, and its file is not there."""

    status = 410
    title = "The file of this dataset is gone"


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
    return ParquetRows(_existing(dataset, dataset.parquet_path))


def download(request: HttpRequest, dataset: Dataset, file_format: str) -> HttpResponseBase:
    """The file, streamed, with its SHA-256 as ETag; 304 if the client has it. Raises like `rows_of`."""
    is_parquet = file_format == "parquet"
    path = _existing(dataset, dataset.parquet_path if is_parquet else dataset.jsonl_path)
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


def _existing(dataset: Dataset, path: Path) -> Path:
    if dataset.status != Dataset.Status.FINISHED:
        raise DatasetNotReady(f"{dataset} is {dataset.status}; its files exist once it is finished.")
    if not path.is_file():
        raise DatasetFileMissing(f"{path.name} of {dataset} is missing on this server; freeze it again.")
    return path
