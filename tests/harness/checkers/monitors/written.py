"""Histories written by hand: a line an operation."""

from typing import Any

from delphic.harness.checkers.operations import UNKNOWN, Operation, hashable

Line = tuple[Any, ...]
"""(process, f, argument, result, invoked, returned); returned None: never answered."""


def written(*lines: Line, key: Any = None) -> list[Operation]:
    """The operations of one key, in seconds: position 3 is at 4 s."""
    return [
        Operation(
            process,
            f,
            key,
            hashable(argument),
            UNKNOWN if returned is None else hashable(result),
            invoked,
            returned,
            (invoked + 1) * 1_000_000_000,
            None if returned is None else (returned + 1) * 1_000_000_000,
            f"n{process}",
        )
        for process, f, argument, result, invoked, returned in lines
    ]
