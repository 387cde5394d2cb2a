"""Bodies that are whole files: kept in memory while small, on disk otherwise, and refused beyond a limit."""

import tempfile
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from accounts.api.parsers import BodyTooLarge

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
                raise BodyTooLarge(f"A file may hold {MAX_UPLOAD_BYTES} bytes; use manage.py import_judgments.")
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
    GzipFileParser,
    ZipFileParser,
]
