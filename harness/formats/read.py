"""A file with a history, of whatever format, plain or compressed: read line by line."""

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import msgspec
import pyarrow

from ..characters import printable
from ..checkers.operations import Operation
from ..errors import HistoryError
from . import FORMATS
from .format import BadLine, Format, Recorded

HEAD_LINES = 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Source(msgspec.Struct):
    """A history and where it came from. `is_guessed`: its format was told from its content."""

    file: str
    format: str
    is_guessed: bool
    recorded: Recorded

    @property
    def operations(self) -> list[Operation]:
        return self.recorded.operations

    def where(self, at: int) -> str:
        """`FILE:LINE` of the operation at this place."""
        return f"{self.file}:{self.recorded.lines[at]}"


def read(
    file: str | Path, format: str | None = None, columns: Mapping[str, str] | None = None
) -> Source:
    """Read a history.

    `format` is a name of FORMATS; None: its content tells. `columns` maps names of ours to those
    of a table. Raises HistoryError with file and line.
    """
    path = Path(file)
    try:
        with (
            path.open("rb") as raw,
            io.TextIOWrapper(_plain(raw), encoding="utf-8-sig") as text,
        ):
            return _read(str(file), text, format, columns or {})
    except OSError as error:
        # The decompressors tell damage so, too.
        raise HistoryError(f"{file}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise HistoryError(f"{file}: the compressed data are damaged or cut off") from error


def _read(file: str, text: TextIO, name: str | None, columns: Mapping[str, str]) -> Source:
    lines = _numbered(file, text)
    head = list(islice(lines, HEAD_LINES))
    chosen = _named(name) if name else _guessed(file, [line for _, line in head])
    try:
        recorded = chosen.read(chain(head, lines), columns)
    except BadLine as error:
        raise HistoryError(f"{file}:{error.line}: {printable(error.message)}") from error
    except RecursionError as error:
        raise HistoryError(f"{file}: a value is nested too deeply") from error
    return Source(file, chosen.name, name is None, recorded)


def _plain(raw: BinaryIO) -> BinaryIO:
    """The bytes, decompressed if they are compressed."""
    buffered = cast(io.BufferedReader, raw)
    start = buffered.peek(4)[:4]
    if start.startswith(_GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if start == _ZSTD:
        return cast(BinaryIO, pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, "r"), "zstd"))
    return raw


def _numbered(file: str, text: TextIO) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        for line in text:
            number += 1
            yield number, line
    except UnicodeDecodeError as error:
        raise HistoryError(f"{file}: near line {number + 1}: not UTF-8 text") from error


def _named(name: str) -> Format:
    found = FORMATS.get(name)
    if found is None:
        raise HistoryError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    return found


def _guessed(file: str, head: list[str]) -> Format:
    said = [line for line in head if line.strip()]
    if not said:
        raise HistoryError(f"{file}: there is nothing in it")
    found = next((one for one in FORMATS.values() if one.looks(said)), None)
    if found is None:
        raise HistoryError(
            f"{file}: its first lines look like none of {', '.join(FORMATS)}; say which with "
            "--format"
        )
    return found
