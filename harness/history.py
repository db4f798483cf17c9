"""The ordered ops of one run, read from and written to JSON lines."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar, cast

import msgspec

from .errors import HistoryError
from .op import INDEX_MAX, Op, OpType, ProcessId
from .reading import UNDECODABLE

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Op)


class Call(msgspec.Struct, frozen=True, gc=False):
    """An invocation with its completion; `completion` is None where the run ended first."""

    invoke: Op
    completion: Op | None

    @property
    def outcome(self) -> OpType:
        """ok, fail or info: an invocation that never returned is info."""
        return OpType.INFO if self.completion is None else self.completion.type


@dataclass(frozen=True, slots=True)
class History:
    """All ops of a run, in index order.

    # Invariant: indices increase; a client process has at most one open invocation.
    """

    ops: tuple[Op, ...]
    _derived: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def derived(self, make: Callable[["History"], T]) -> T:
        """Return make(self), computed once: many checkers want the same view of one history."""
        if make not in self._derived:
            self._derived[make] = make(self)
        return cast(T, self._derived[make])

    def clients(self) -> Iterator[Op]:
        return (op for op in self.ops if op.is_client)

    def of(self, process: ProcessId) -> Iterator[Op]:
        return (op for op in self.ops if op.process == process)

    def calls(self) -> list[Call]:
        """Client invocations joined to their completions, in order of invocation.

        The list is shared by all callers: read it, do not change it.
        """
        return self.derived(_joined)


def _joined(history: History) -> list[Call]:
    open_at: dict[ProcessId, int] = {}
    invocations: list[Op] = []
    completions: list[Op | None] = []
    for op in history.clients():
        if op.type is OpType.INVOKE:
            open_at[op.process] = len(invocations)
            invocations.append(op)
            completions.append(None)
        else:
            completions[open_at.pop(op.process)] = op
    return [Call(*pair) for pair in zip(invocations, completions, strict=True)]


def validated(ops: Iterable[Op]) -> History:
    """Return the ops as a history.

    Raises HistoryError, naming the op, where an index does not increase or is above INDEX_MAX, a
    time is negative, a completion has no invocation, or a client invokes while its last op is
    still open.
    """
    open_ops: dict[ProcessId, Op] = {}
    last = -1
    kept: list[Op] = []
    for op in ops:
        if op.index <= last:
            raise HistoryError(f"op {op.index} follows op {last}: indices must increase")
        if op.index > INDEX_MAX:
            raise HistoryError(f"op {op.index}: no index is above {INDEX_MAX}")
        if op.time_ns < 0:
            raise HistoryError(f"op {op.index}: its time is before the run began")
        last = op.index
        if op.is_client:
            began = open_ops.pop(op.process, None)
            if op.type is OpType.INVOKE:
                if began is not None:
                    raise HistoryError(
                        f"op {op.index}: process {op.process} invokes "
                        f"while its op {began.index} is still open"
                    )
                open_ops[op.process] = op
            elif began is None:
                raise HistoryError(f"op {op.index}: completion without an invocation")
            elif began.f != op.f:
                raise HistoryError(f"op {op.index} completes {op.f}, but {began.f} was invoked")
        kept.append(op)
    return History(tuple(kept))


def encode(op: Op) -> bytes:
    """One JSON line, newline included."""
    return _encoder.encode(op) + b"\n"


def load(stream: BinaryIO, *, torn_tail: bool = False) -> History:
    """Read JSON lines. With `torn_tail`, an unfinished last line (a killed writer's) is left out.

    Raises HistoryError naming the line where a line is no op.
    """
    ops: list[Op] = []
    for number, line in enumerate(stream, start=1):
        if torn_tail and not line.endswith(b"\n"):
            break
        try:
            ops.append(_decoder.decode(line))
        except UNDECODABLE as error:
            raise HistoryError(f"line {number}: {error}") from error
    return validated(ops)
