"""What any log can have wrong, told of the one or two operations that show it."""

from typing import Any

from ..operations import Operation
from .conclusion import Wrong
from .prose import began_text, operation_text, value_text


def phantom(read: Operation, element: Any) -> Wrong:
    """A read of what nobody can have appended."""
    sentence = (
        f"{operation_text(read)} returned {value_text(element)}, which nobody appended, or whose "
        "append certainly failed."
    )
    return Wrong(read.key, "phantom", sentence, (read,))


def diverged(read: Operation, longest: Operation, noun: str) -> Wrong:
    """Two reads of which neither is a prefix of the other."""
    pairs = enumerate(zip(read.result, longest.result, strict=False), start=1)
    place, (one, other) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
    sentence = (
        f"{operation_text(read)} returned {value_text(one)} as {noun} {place}, but "
        f"{operation_text(longest)} returned {value_text(other)} there."
    )
    return Wrong(read.key, "diverged", sentence, (read, longest))


def shrunk(earlier: Operation, later: Operation, noun: str) -> Wrong:
    """Two reads of which the later found less."""
    sentence = (
        f"{operation_text(later)} found {len(later.result):,} {noun}s, although before it "
        f"began {operation_text(earlier)} had found {len(earlier.result):,}."
    )
    return Wrong(later.key, "stale-read", sentence, (earlier, later))


def future_read(read: Operation, append: Operation) -> Wrong:
    """A read of what was appended only afterwards."""
    sentence = (
        f"{operation_text(read)} returned {value_text(append.argument)}, which "
        f"{operation_text(append)} only began to append {began_text(append)}."
    )
    return Wrong(append.key, "future-read", sentence, (read, append))
