"""Operations on a log in words: who, through which node, when, which rows."""

from typing import Any

from ...history import Call
from ...op import Op, OpType
from .view import Append, Purged, Read

ROWS_SHOWN_MAX = 4


def seconds(op: Op) -> str:
    """When, in seconds from the start of the run."""
    return f"{op.time_ns / 1e9:.3f} s"


def node_of(call: Call) -> str:
    """The member that answered, or that was asked last."""
    node = call.completion.node if call.completion is not None else None
    return node or call.invoke.node or "an unknown node"


def identity(call: Call) -> int:
    """The op index by which a call is cited: its completion's, or the invocation's without one."""
    return call.invoke.index if call.completion is None else call.completion.index


def rows_text(rows: list[int]) -> str:
    """The first few row ids."""
    shown = ", ".join(map(str, rows[:ROWS_SHOWN_MAX]))
    return shown if len(rows) <= ROWS_SHOWN_MAX else f"{shown}, … ({len(rows):,} rows)"


def read_text(read: Read | Purged) -> str:
    """Which read, by whom, through which node, and its interval."""
    invoke = read.call.invoke
    end = read.call.completion or invoke
    who = f"client {invoke.process} through {node_of(read.call)}"
    return f"{invoke.f} #{identity(read.call)} by {who} from {seconds(invoke)} to {seconds(end)}"


def append_text(append: Append) -> str:
    """Which append, of which rows, and what its client learned."""
    call = append.call
    end = call.completion
    name = f"append #{identity(call)} of {_noun(append.rows)} {rows_text(append.rows)}"
    if end is None:
        return f"{name} (begun at {seconds(call.invoke)}, never answered)"
    if end.type is OpType.OK:
        return (
            f"{name} (acknowledged at offset {append.offset} by {node_of(call)} at {seconds(end)})"
        )
    outcome = "certainly failed" if end.type is OpType.FAIL else "left open"
    error = f" with {end.error}" if end.error else ""
    return f"{name} ({outcome}{error} at {seconds(end)})"


def operation_text(operation: Append | Read) -> str:
    return append_text(operation) if isinstance(operation, Append) else read_text(operation)


def table_text(key: Any) -> str:
    """` of table trades`, or nothing where a run has one nameless table."""
    return "" if key is None else f" of table {key}"


def summary(operation: Append | Read | Purged) -> dict[str, Any]:
    """An operation of a witness for the details of a verdict."""
    call = operation.call
    completion = None if call.completion is None else call.completion.index
    return {
        "f": call.invoke.f,
        "process": call.invoke.process,
        "node": node_of(call),
        "invoke": call.invoke.index,
        "completion": completion,
    }


def _noun(rows: list[int]) -> str:
    return "row" if len(rows) == 1 else "rows"
