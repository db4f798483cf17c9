"""Operations of any history, and what a judge of them answers.

Positions, not times, decide order: `a` precedes `b` iff `a.returned < b.invoked`. Times are for
people. A definite failure never happened, so it is no operation (but a transaction's is kept: what
it wrote may have been seen); an operation that was never answered, or of which nobody knows what
became, may take effect at any moment after it began, or never.

Judges take the plain sequence of operations. Those that must be fast make columns of it
(`monitors/columns.py`), which costs less than a second for a million operations (measured), so
that nobody needs to carry two forms of a history around.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Final, Literal

import msgspec

from ..history import History
from ..op import INDEX_MAX, Op, OpType
from ..verdict import Validity

_ATOMS: Final = frozenset({int, str, bool, float, type(None)})


class Unknown:
    """The type of UNKNOWN."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
"""The result of an operation that was not answered; compare with `is` (it survives pickling)."""

TRANSACTION: Final = "txn"
"""The f of transactions."""

FOREVER: Final = INDEX_MAX + 1
"""The position at which an operation returns that never does."""


class Operation(msgspec.Struct, frozen=True, gc=False):
    """What a process did, as far as it learned. Two are equal where all of it is.

    # Invariant: key, argument and result are hashable (see `hashable`).
    # Invariant: result is UNKNOWN iff returned is None; else invoked < returned.
    """

    process: int | str
    f: str
    key: Any
    argument: Any
    result: Any
    invoked: int
    returned: int | None
    invoked_ns: int = 0
    returned_ns: int | None = None
    node: str | None = None
    failed: bool = False
    """Whether it is known that it never happened; only specifications that ask for such see any."""

    @property
    def is_open(self) -> bool:
        """Whether nobody knows what became of it."""
        return self.returned is None and not self.failed

    @property
    def end(self) -> int:
        """Where it returned, or FOREVER."""
        return FOREVER if self.returned is None else self.returned


def operations(history: History) -> list[Operation]:
    """The clients' operations in order of invocation.

    Of those that certainly failed there are transactions only.
    """
    # History.calls would do, but costs twice as much for a million operations (measured).
    found: list[Operation | None] = []
    open_ops: dict[int | str, tuple[int, Op]] = {}
    for op in history.ops:
        process = op.process
        if not isinstance(process, int):
            continue
        kind = op.type
        if kind is OpType.INVOKE:
            open_ops[process] = (len(found), op)
            found.append(None)
            continue
        place, invoke = open_ops.pop(process)
        if kind is OpType.OK:
            found[place] = Operation(
                process,
                op.f,
                hashable(invoke.key),
                hashable(invoke.value),
                hashable(op.value),
                invoke.index,
                op.index,
                invoke.time_ns,
                op.time_ns,
                op.node or invoke.node,
            )
        elif kind is OpType.INFO or invoke.f == TRANSACTION:
            found[place] = _open(invoke, op.node, failed=kind is OpType.FAIL)
    for place, invoke in open_ops.values():
        found[place] = _open(invoke, None)
    return [operation for operation in found if operation is not None]


def _open(invoke: Op, node: str | None, *, failed: bool = False) -> Operation:
    """An operation of which nobody knows what became, or that failed."""
    return Operation(
        process=invoke.process,
        f=invoke.f,
        key=hashable(invoke.key),
        argument=hashable(invoke.value),
        result=UNKNOWN,
        invoked=invoke.index,
        returned=None,
        invoked_ns=invoke.time_ns,
        node=node or invoke.node,
        failed=failed,
    )


class Mapping(msgspec.Struct, frozen=True):
    """A mapping among values, equal to one of the same pairs, and to no list or set of them."""

    pairs: frozenset[tuple[Any, Any]]

    def __repr__(self) -> str:
        return f"{{{', '.join(sorted(f'{name!r}: {held!r}' for name, held in self.pairs))}}}"


def hashable(value: Any) -> Any:
    """The value with lists as tuples, sets as frozensets, and mappings as Mapping."""
    if value.__class__ in _ATOMS:
        return value
    if isinstance(value, list | tuple):
        flat = tuple(value)
        try:
            hash(flat)
        except TypeError:
            return tuple(map(hashable, flat))
        return flat
    if isinstance(value, dict):
        return Mapping(frozenset((hashable(k), hashable(inner)) for k, inner in value.items()))
    if isinstance(value, set | frozenset):
        return frozenset(map(hashable, value))
    return value


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    `witness` holds the positions at which the two or three operations were invoked that show it,
    `details` what a program may want: the key, values, a count.
    """

    anomaly: str
    sentence: str
    witness: tuple[int, ...]
    details: dict[str, Any] = {}


class Judgement(msgspec.Struct, frozen=True):
    """What a judge found out about all operations that it was given.

    `decided_up_to`, where a bound was hit: some order explains all that returned before this
    position. It is None where all was decided.
    """

    validity: Validity
    sentence: str
    findings: tuple[Finding, ...] = ()
    decided_up_to: int | None = None
    method: Literal["monitor", "search", "cycles"] = "monitor"
    statistics: dict[str, Any] = {}


class Ambiguous(msgspec.Struct, frozen=True):
    """A monitor's answer where it cannot tell who wrote what somebody read: ask the search.

    Only the operations of `keys` are left to judge; those of all other keys are in order.
    """

    reason: str
    keys: tuple[Any, ...]


def by_key(operation: Operation) -> Hashable:
    """The partition of objects that are independent of each other: each key is one."""
    key: Hashable = operation.key
    return key


def split(operations: Sequence[Operation]) -> dict[Hashable, list[Operation]]:
    """The operations of each key, in the order in which keys were first used."""
    found: dict[Hashable, list[Operation]] = {}
    for operation in operations:
        found.setdefault(operation.key, []).append(operation)
    return found
