"""Bodies that are whole files: kept in memory while small, on disk otherwise, and refused beyond a limit."""

import tempfile
from collections.abc import Mapping
from typing import IO, Any

from drf_spectacular.types import OpenApiTypes
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from accounts.api.parsers import BodyTooLarge
from core import source_files

MAX_UPLOAD_BYTES = 2 * 2**30
MAX_BYTES_IN_MEMORY = 4 * 2**20
READ_BYTES = 2**20


class FileParser(BaseParser):
    """The body as a list of one (name, stream); the name tells CSV from JSON and nothing else."""

    name = "body.jsonl"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        kept = tempfile.SpooledTemporaryFile(max_size=MAX_BYTES_IN_MEMORY)  # noqa: SIM115 -- outlives this function
        num_bytes = 0
        while piece := stream.read(READ_BYTES):
            num_bytes += len(piece)
            if num_bytes > MAX_UPLOAD_BYTES:
                raise BodyTooLarge(f"A file may hold {MAX_UPLOAD_BYTES} bytes; larger ones go in by manage.py.")
            kept.write(piece)
        return [(self.name, kept)]


class JsonLinesFileParser(FileParser):
    media_type = "application/x-ndjson"


class JsonFileParser(FileParser):
    media_type = "application/json"
    name = "body.json"


class CsvFileParser(FileParser):
    media_type = "text/csv"
    name = "body.csv"


class ParquetFileParser(FileParser):
    media_type = "application/vnd.apache.parquet"
    name = "body.parquet"


class GzipFileParser(FileParser):
    """What it holds is told by its content."""

    media_type = "application/gzip"


class ZipFileParser(FileParser):
    media_type = "application/zip"
    name = "body.zip"


FILE_PARSERS: list[type[BaseParser]] = [
    JsonLinesFileParser,
    JsonFileParser,
    CsvFileParser,
    ParquetFileParser,
    GzipFileParser,
    ZipFileParser,
]

# What a view that takes files says about its bodies in the OpenAPI document.
FILE_BODIES: dict[str, Any] = {
    **{parser.media_type: OpenApiTypes.BINARY for parser in FILE_PARSERS},
    "multipart/form-data": {
        "type": "object",
        "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
    },
}


def uploaded_files(request: Request) -> list[source_files.SourceFile]:
    """The parts of a request, or its body as one file. Raises `FileUnreadable`."""
    parts: list[tuple[str, IO[bytes]]] = [
        (str(part.name), part.file) for name in request.FILES for part in request.FILES.getlist(name)
    ]
    return source_files.from_streams(parts or (request.data if isinstance(request.data, list) else []))
