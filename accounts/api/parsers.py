"""Request bodies: JSON up to a limit, and JSON Lines read line by line."""

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_JSON_BYTES = 8 * 2**20
MAX_LINE_BYTES = 8 * 2**20


class BodyTooLarge(APIException):
    """The body, or one line of it, is longer than this server reads into memory."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request body is too large."
    default_code = "body-too-large"


class JsonParser(BaseParser):
    """A JSON body of at most `MAX_JSON_BYTES`. NaN and Infinity are refused: they are not JSON."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(MAX_JSON_BYTES + 1)
        if len(body) > MAX_JSON_BYTES:
            raise BodyTooLarge(f"A JSON body may hold {MAX_JSON_BYTES} bytes; send large imports as JSON Lines.")
        try:
            return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {error}") from None


class JsonLinesParser(BaseParser):
    """A body of JSON Lines, as an iterator over its lines: it never lies in memory as a whole."""

    media_type = "application/x-ndjson"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return _lines(stream)


def _lines(stream: IO[bytes]) -> Iterator[str]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise BodyTooLarge(f"Line {number} is longer than {MAX_LINE_BYTES} bytes.")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ParseError(f"Line {number} is not UTF-8: {error.reason} at byte {error.start}.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
