"""The diary of one run: a line a phase, on disk before the next one begins."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from ..errors import WorldError

SEALED = "sealed"
"""The phase whose line carries the history's SHA-256 and length."""


class Journal:
    """Appends to journal.jsonl."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, phase: str, **facts: Any) -> None:
        """One line, durable when this returns. Raises WorldError."""
        line = msgspec.json.encode({"unix_s": round(time.time(), 3), "phase": phase, **facts})
        try:
            with self._path.open("ab", buffering=0) as stream:
                stream.write(line + b"\n")
                os.fsync(stream.fileno())
        except OSError as error:
            raise WorldError(f"cannot write {self._path}: {error.strerror}") from error


def entries(path: Path) -> list[dict[str, Any]]:
    """The lines so far; one that a kill cut short is left out."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]


def seal_of(path: Path) -> str | None:
    """The SHA-256 that the history was sealed with; None if it never was."""
    seals = [entry["sha256"] for entry in entries(path) if entry["phase"] == SEALED]
    return seals[-1] if seals else None


def digest(history: Path) -> str:
    """The SHA-256 of a file, as text."""
    with history.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
