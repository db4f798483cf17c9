"""What can go wrong around a run, and the exit code of each kind.

DelphicError
├── UsageError        2  the command line or a file given by the user is wrong
│   ├── ScenarioError 2  … a scenario or an inventory: file, line, field
│   └── HistoryError  2  … a history: line or op
└── WorldError        4  the hosts failed us: a port, a disk, a process that did not start

A broken promise is no exception but a Verdict. A bug of Delphic is an assertion (exit code 5).
"""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What `delphic` tells its caller."""

    AS_EXPECTED = 0
    PROMISE_BROKEN = 1
    USAGE = 2
    INCONCLUSIVE = 3
    WORLD = 4
    HARNESS = 5


_SEVERE = (
    ExitCode.PROMISE_BROKEN,
    ExitCode.HARNESS,
    ExitCode.WORLD,
    ExitCode.INCONCLUSIVE,
    ExitCode.USAGE,
)


def worst_code(codes: Sequence[int]) -> ExitCode:
    """The exit code of several processes together; one that is no ExitCode is a bug of ours."""
    told = {code if code in set(ExitCode) else ExitCode.HARNESS for code in codes}
    return next((code for code in _SEVERE if code in told), ExitCode.AS_EXPECTED)


class DelphicError(Exception):
    """Base of everything that Delphic raises on purpose."""

    exit_code = ExitCode.HARNESS


class UsageError(DelphicError):
    """The user's mistake, in a sentence that says what would be right."""

    exit_code = ExitCode.USAGE


class ScenarioError(UsageError):
    """A scenario, or an inventory of hosts, that cannot be used."""

    def __init__(self, message: str, *, file: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.message}"


class HistoryError(UsageError):
    """A history that is not one."""


class WorldError(DelphicError):
    """The world failed: what was tried, on which node, and what came back."""

    exit_code = ExitCode.WORLD

    def __init__(self, message: str, *, node: str | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.detail = detail

    def __str__(self) -> str:
        where = f"{self.node}: " if self.node else ""
        tail = f"\n{self.detail}" if self.detail else ""
        return f"{where}{self.message}{tail}"
