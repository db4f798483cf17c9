"""The ordered ops of one run, read from and written to JSON lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from .errors import HistoryError
from .op import Op, OpType, ProcessId

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Op)


@dataclass(frozen=True, slots=True)
class Call:
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

    def clients(self) -> Iterator[Op]:
        return (op for op in self.ops if op.is_client)

    def of(self, process: ProcessId) -> Iterator[Op]:
        return (op for op in self.ops if op.process == process)

    def calls(self) -> list[Call]:
        """Client invocations joined to their completions, in order of invocation."""
        started: dict[ProcessId, int] = {}
        calls: list[Call] = []
        for op in self.clients():
            if op.type is OpType.INVOKE:
                started[op.process] = len(calls)
                calls.append(Call(op, None))
            else:
                at = started.pop(op.process)
                calls[at] = Call(calls[at].invoke, op)
        return calls


def validated(ops: Iterable[Op]) -> History:
    """Return the ops as a history.

    Raises HistoryError, naming the op, where an index does not increase, a completion has no
    invocation, or a client invokes while its last op is still open.
    """
    open_ops: dict[ProcessId, Op] = {}
    last = -1
    kept: list[Op] = []
    for op in ops:
        if op.index <= last:
            raise HistoryError(f"op {op.index} follows op {last}: indices must increase")
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
        except msgspec.DecodeError as error:
            raise HistoryError(f"line {number}: {error}") from error
    return validated(ops)
