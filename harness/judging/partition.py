"""What tells objects apart: the key, the first part of each value, or nothing."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from ..characters import printable
from ..checkers.operations import UNKNOWN, Operation
from ..checkers.specs.spec import Spec
from ..errors import HistoryError
from ..formats.read import Source


class Partition(StrEnum):
    """`first`: every value is [key, value], as Jepsen's independent workloads write it."""

    KEY = "key"
    FIRST = "first"
    NONE = "none"


def keyed(
    source: Source, spec: Spec, asked: Partition | None = None
) -> tuple[list[Operation], Partition]:
    """The operations with the keys that they are judged by; None: their values tell.

    Raises HistoryError with file and line.
    """
    if asked is None:
        asked = Partition.FIRST if is_by_first(source.operations, spec) else Partition.KEY
    return partitioned(source, asked), asked


def partitioned(source: Source, partition: Partition) -> list[Operation]:
    """The operations with the keys that were asked for. Raises HistoryError with file and line."""
    match partition:
        case Partition.KEY:
            return source.operations
        case Partition.NONE:
            return [msgspec.structs.replace(o, key=None) for o in source.operations]
        case Partition.FIRST:
            return [_split(source, at, o) for at, o in enumerate(source.operations)]


def is_by_first(operations: Sequence[Operation], spec: Spec) -> bool:
    """Whether all values are pairs, and reads ask for [key, nil]: so only Jepsen's workloads do."""
    reads = [operation for operation in operations if operation.f in spec.reads]
    return (
        bool(reads)
        and all(_is_pair(o.argument) and o.argument[1] is None for o in reads)
        and all(o.key is None and _is_pair(o.argument) for o in operations)
        and all(_is_pair(o.result) for o in reads if o.result is not UNKNOWN)
        and not any(shape.f in spec.reads and not shape.asks(0) for shape in spec.operations)
    )


def _split(source: Source, at: int, operation: Operation) -> Operation:
    key, argument = _pair(source, at, operation, operation.argument)
    result = operation.result
    if _is_pair(result) and result[0] == key:
        result = result[1]
    return msgspec.structs.replace(operation, key=key, argument=argument, result=result)


def _pair(source: Source, at: int, operation: Operation, value: Any) -> tuple[Any, Any]:
    if not _is_pair(value):
        raise HistoryError(
            f"{source.where(at)}: the value of {printable(operation.f)} is {value!r}, no "
            "[key, value] to be told apart by its first part"
        )
    return value[0], value[1]


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2
