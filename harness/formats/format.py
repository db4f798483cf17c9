"""What a format is: how to tell it, and how its lines become operations."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ..checkers.operations import Operation
from ..op import OpType

Lines = Iterable[tuple[int, str]]
"""The lines of a text with their numbers, from 1 on."""


class BadLine(Exception):
    """Text that its format does not allow, and where it is."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that a process began, or how it ended. `index` is None where the file has none."""

    line: int
    process: int | str
    type: OpType
    f: str
    key: Any = None
    value: Any = None
    index: int | None = None
    time_ns: int = 0
    node: str | None = None


class Recorded(msgspec.Struct):
    """A history as it was read.

    `lines` says on which line the operation was invoked that has this place in `operations`.
    `failed` operations certainly did not happen, of which the transactions are among `operations`;
    `others` are events of no client, and lines that are none.
    """

    operations: list[Operation]
    lines: list[int]
    failed: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a history down.

    `looks` is asked about the first lines of a text, those that are not blank. `read` may raise
    BadLine; `columns` maps names of ours to names of the file's, where a format has such.
    """

    name: str
    about: str
    looks: Callable[[list[str]], bool]
    read: Callable[[Lines, Mapping[str, str]], Recorded]
