"""What was handed in, as named binary streams: a file, several, a folder or a zip archive. Compressed ones are opened.

Names in archives serve to tell the files apart and nothing else: nothing is ever written to them. What expands to far
more than it holds is refused, so that a small file cannot fill this machine's memory or time.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from core.errors import ConcordError

MAX_RATIO = 200  # expanded bytes for each compressed one; JSON Lines of real dialogues reach about 20
MIN_ALLOWANCE = 64 * 2**20  # bytes that any file may expand to
MAX_FILES = 100
READ_BYTES = 2**20
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
READABLE_SUFFIXES = {".jsonl", ".ndjson", ".json", ".csv", ".parquet"}


class FileUnreadable(ConcordError):
    """A file that was handed in is damaged, too large once expanded, or no text."""

    status = 422
    title = "This file cannot be read"


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file, expanded."""

    name: str  # its base name, without .gz
    open: Callable[[], IO[bytes]]  # a new stream from the start


def from_folder(folder: Path) -> list[SourceFile]:
    """The files of a folder that a layout may read, in the order of their names; folders inside it are not entered."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and _is_readable(path.name))
    return expand((path.name, path.stat().st_size, _opener(path)) for path in paths)


def from_path(path: Path) -> list[SourceFile]:
    """A file or a folder on this machine. Raises `FileUnreadable`."""
    try:
        if path.is_dir():
            return from_folder(path)
        return expand([(path.name, path.stat().st_size, _opener(path))])
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be opened: {error.strerror or error}.") from None


def from_streams(streams: Iterable[tuple[str, IO[bytes]]]) -> list[SourceFile]:
    """Uploaded files that can be rewound."""
    return expand((name, _size(stream), _rewinder(stream)) for name, stream in streams)


def expand(files: Iterable[tuple[str, int, Callable[[], IO[bytes]]]]) -> list[SourceFile]:
    """(name, size in bytes, opener) of each file as it was handed in → expanded files. Raises `FileUnreadable`."""
    found: list[SourceFile] = []
    for name, size, open_raw in files:
        with open_raw() as stream:
            magic = stream.read(4)
        if magic == ZIP_MAGIC:
            found += _members(name, open_raw)
        else:
            found.append(_expanded(name, size, open_raw, is_gzip=magic[:2] == GZIP_MAGIC))
        if len(found) > MAX_FILES:
            raise FileUnreadable(f"More than {MAX_FILES} files were handed in; one import takes at most so many.")
    if not found:
        wanted = ", ".join(sorted(READABLE_SUFFIXES))
        raise FileUnreadable(f"There is no file to read: expected one of {wanted}, plain or as .gz or .zip.")
    return found


class BoundedStream(io.RawIOBase):
    """Reads a compressed stream up to a limit; its damage and its excess are `FileUnreadable`."""

    def __init__(self, inner: IO[bytes], *, name: str, limit: int) -> None:
        self._inner, self._name, self._limit, self._num_read = inner, name, limit, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._inner.read(len(buffer))
        except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise FileUnreadable(f"{self._name} is damaged, or compressed in an unknown way: {error}.") from None
        self._num_read += len(piece)
        if self._num_read > self._limit:
            raise FileUnreadable(
                f"{self._name} expands to more than {self._limit:,} bytes, {MAX_RATIO} times what it holds. "
                "If this is meant, expand it yourself and hand in the plain file."
            )
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._inner.close()
        super().close()


def _expanded(name: str, size: int, open_raw: Callable[[], IO[bytes]], *, is_gzip: bool) -> SourceFile:
    base = safe_name(name)
    if not is_gzip:
        return SourceFile(name=base, open=open_raw)
    limit = _allowance(size)

    def open_expanded() -> IO[bytes]:
        inner = cast(IO[bytes], gzip.GzipFile(fileobj=open_raw(), mode="rb"))
        return io.BufferedReader(BoundedStream(inner, name=base, limit=limit), READ_BYTES)

    return SourceFile(name=base.removesuffix(".gz"), open=open_expanded)


def _members(archive_name: str, open_raw: Callable[[], IO[bytes]]) -> list[SourceFile]:
    """The readable files of a zip archive, whatever folders it puts them in."""
    try:
        with open_raw() as stream, zipfile.ZipFile(stream) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir() and _is_readable(info.filename)]
    except zipfile.BadZipFile as error:
        raise FileUnreadable(f"{safe_name(archive_name)} is no zip archive: {error}.") from None
    if len(infos) > MAX_FILES:
        raise FileUnreadable(f"{safe_name(archive_name)} holds {len(infos)} files; at most {MAX_FILES} are read.")
    return expand((info.filename, info.compress_size, _member_opener(open_raw, info)) for info in infos)


def _member_opener(open_raw: Callable[[], IO[bytes]], info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    limit = _allowance(info.compress_size)

    def open_member() -> IO[bytes]:
        try:
            inner = zipfile.ZipFile(open_raw()).open(info)  # noqa: SIM115 -- closed with the stream that is handed on
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise FileUnreadable(f"{safe_name(info.filename)} in the archive cannot be opened: {error}.") from None
        return io.BufferedReader(BoundedStream(inner, name=safe_name(info.filename), limit=limit), READ_BYTES)

    return open_member


def safe_name(name: str) -> str:
    """The base name of a path in any system's writing, without what a terminal could take for a command."""
    base = PurePosixPath(name.replace("\\", "/")).name
    return "".join(character for character in base if character.isprintable())[:120] or "file"


def _is_readable(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/").lower())
    is_hidden = path.name.startswith(".") or "__macosx" in path.parts
    return not is_hidden and PurePosixPath(path.name.removesuffix(".gz")).suffix in READABLE_SUFFIXES


def _allowance(size: int) -> int:
    return max(MIN_ALLOWANCE, MAX_RATIO * size)


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb", buffering=READ_BYTES)


def _size(stream: IO[bytes]) -> int:
    return stream.seek(0, os.SEEK_END)


def _rewinder(stream: IO[bytes]) -> Callable[[], IO[bytes]]:
    """Every opening starts anew on the one stream, which outlives each of them."""

    def rewound() -> IO[bytes]:
        stream.seek(0)
        return io.BufferedReader(_Borrowed(stream), READ_BYTES)

    return rewound


class _Borrowed(io.RawIOBase):
    """A view of a stream that closing leaves open. Each view has its own place."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._place = stream, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset, whence = self._place + offset, os.SEEK_SET
        self._place = self._stream.seek(offset, whence)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        self._stream.seek(self._place)
        piece = self._stream.read(len(buffer))
        self._place += len(piece)
        buffer[: len(piece)] = piece
        return len(piece)
