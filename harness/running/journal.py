"""The diary of one run: a line a phase, on disk before the next one begins."""

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..errors import WorldError
from ..reading import NoFile, from_data, from_json, read_bytes, unreadable

SEALED = "sealed"
"""The phase whose line carries the history's SHA-256 and length."""

TRACES = "traces"
"""What a line calls the SHA-256 of traces, which are whole only when all members are down."""

_OF_OURS = "a line of a run's journal"
_UNIX_MAX_S = 253_402_300_799  # The last second that a date can tell.


class _Entry(msgspec.Struct, frozen=True):
    unix_s: Annotated[float, msgspec.Meta(ge=0, le=_UNIX_MAX_S)]
    phase: str


class _Seal(msgspec.Struct, frozen=True):
    sha256: str


class _Traces(msgspec.Struct, frozen=True):
    traces: dict[str, str]


class Journal:
    """Appends to journal.jsonl."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, phase: str, **facts: Any) -> None:
        """One line, durable when this returns. Raises WorldError.

        What could be written of a line in part only, `entries` leaves out, and the next
        one replaces.
        """
        line = msgspec.json.encode({"unix_s": round(time.time(), 3), "phase": phase, **facts})
        try:
            with self._path.open("a+b", buffering=0) as stream:
                stream.seek(0)
                stream.truncate(stream.read().rfind(b"\n") + 1)
                left = memoryview(line + b"\n")
                while left:
                    # A kernel takes what it has room for; what refuses the rest is the next call.
                    left = left[stream.write(left) :]
                os.fsync(stream.fileno())
        except OSError as error:
            raise WorldError(f"cannot write {self._path}: {error.strerror}") from error


def entries(path: Path) -> list[dict[str, Any]]:
    """The lines so far; one that a kill cut short is left out.

    Raises UsageError where the file cannot be read, or a line is none of ours.
    """
    try:
        lines = read_bytes(path).split(b"\n")[:-1]
    except NoFile:
        return []
    return [_entry(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def _entry(line: bytes, where: str) -> dict[str, Any]:
    entry: dict[str, Any] = from_json(line, dict[str, Any], where, _OF_OURS)
    from_data(entry, _Entry, where, _OF_OURS)
    return entry


def seal_of(path: Path) -> str | None:
    """The SHA-256 that the history was sealed with; None if it never was. Raises UsageError."""
    seals = [entry for entry in entries(path) if entry["phase"] == SEALED]
    return from_data(seals[-1], _Seal, str(path), "a run's journal").sha256 if seals else None


def traces_of(path: Path) -> dict[str, str]:
    """The SHA-256 of each member's trace as the run left it; of none, where nobody said so.

    Raises UsageError.
    """
    told = [entry for entry in entries(path) if TRACES in entry]
    return from_data(told[-1], _Traces, str(path), "a run's journal").traces if told else {}


def digest(file: Path) -> str:
    """The SHA-256 of a file, as text. Raises UsageError where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(file, error) from error


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """The same of those that are there."""
    return {name: digest(file) for name, file in files.items() if file.is_file()}
