"""Files that somebody gives, or that a run left: their content, or a sentence about them."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .errors import UsageError

T = TypeVar("T")

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on data that are not what they should be."""


class NoFile(UsageError):
    """There is no such file."""


def read_bytes(path: Path) -> bytes:
    """Raises UsageError, and of it NoFile where there is none."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def check_name(path: Path) -> None:
    """Raises UsageError where a name could stand in no result: those are JSON and XML."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="backslashreplace").decode()
        raise UsageError(f"{shown}: the name is no text") from None


def resolved(path: Path) -> Path:
    """Where a path leads in the end. Raises UsageError where that is back to itself."""
    try:
        return path.resolve()
    except RuntimeError as error:
        raise UsageError(f"cannot read {path}: its symbolic links lead in a circle") from error


def read_text(path: Path) -> str:
    """Raises UsageError, and of it NoFile where there is none."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: it is not UTF-8 text") from error


def read_json(path: Path, kind: type[T], what: str) -> T:
    """`what` says in a sentence what it should be. Raises UsageError, and of it NoFile."""
    return from_json(read_bytes(path), kind, str(path), what)


def from_json(data: bytes, kind: type[T], where: str, what: str) -> T:
    """Raises UsageError, with the place, where the data are not `what`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except UNDECODABLE as error:
        raise UsageError(f"{where}: not {what}: {error}") from error


def from_data(found: Any, kind: type[T], where: str, what: str) -> T:
    """As `from_json`, of what was JSON."""
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: not {what}: {error}") from error


def unreadable(path: Path, error: OSError) -> UsageError:
    """The sentence about a file that the operating system does not give us."""
    kind = NoFile if isinstance(error, FileNotFoundError | NotADirectoryError) else UsageError
    return kind(f"cannot read {path}: {error.strerror or error}")
