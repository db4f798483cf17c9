"""Client operations as columns: one entry a call, light enough for a page with 50,000 of them."""

from collections.abc import Sequence

import msgspec

from ...harness.history import Call, History
from ...harness.op import OpType
from ..prose import call_text, value_text

OUTCOMES = (OpType.OK, OpType.FAIL, OpType.INFO)
OPEN = -1
"""Stands for the end, and for the index of the end, of a call that never returned."""

LANES_MAX = 256
"""As many as a workload may have clients: of fewer, one would show the calls of several."""

_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}


class Calls(msgspec.Struct, frozen=True):
    """Columns of equal length, in order of invocation. Times are microseconds from the start.

    `f`, `key` and `node` point into `fs`, `keys` and `nodes`, `outcome` into OUTCOMES. A process
    is in the lane of that number, modulo `lanes`: those that succeed one another share one.
    """

    lanes: int
    fs: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    nodes: tuple[str | None, ...] = ()
    index: tuple[int, ...] = ()
    end_index: tuple[int, ...] = ()
    start: tuple[int, ...] = ()
    end: tuple[int, ...] = ()
    process: tuple[int, ...] = ()
    f: tuple[int, ...] = ()
    key: tuple[int, ...] = ()
    node: tuple[int, ...] = ()
    outcome: tuple[int, ...] = ()
    text: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    def of_outcome(self, outcome: OpType) -> int:
        """How many ended so."""
        return self.outcome.count(_CODES[outcome])


def calls(history: History, clients: int | None) -> Calls:
    """Lay the client operations out in columns, `clients` of them side by side."""
    found = history.calls()
    if not found:
        return Calls(lanes=0)
    fs = _distinct([call.invoke.f for call in found])
    answered = [(call.completion or call.invoke).node for call in found]
    nodes = tuple(dict.fromkeys(answered))
    node_codes = {node: code for code, node in enumerate(nodes)}
    f_codes = {f: code for code, f in enumerate(fs)}
    keys = _Named()
    key = tuple(keys.code(call.invoke.key) for call in found)
    return Calls(
        lanes=_lanes(found, clients),
        fs=fs,
        keys=tuple(keys.names),
        nodes=nodes,
        index=tuple(call.invoke.index for call in found),
        end_index=tuple(OPEN if c.completion is None else c.completion.index for c in found),
        start=tuple(call.invoke.time_ns // 1000 for call in found),
        end=tuple(OPEN if c.completion is None else c.completion.time_ns // 1000 for c in found),
        process=tuple(call.invoke.process for call in found),  # type: ignore[misc]
        f=tuple(f_codes[call.invoke.f] for call in found),
        key=key,
        node=tuple(node_codes[node] for node in answered),
        outcome=tuple(_CODES[call.outcome] for call in found),
        text=tuple(call_text(call) for call in found),
    )


NO_WRITES = frozenset(
    [
        "read",
        "queue",
        "slaves",
        "metrics",
        "tasks",
        "flags",
        "misuse",
        "intrude",
        "start",
        "stop",
        "skip",
        "flag",
        "grant",
        "revoke",
        "make-executor",
        "make-db",
        "make-table",
        "drop-db",
        "drop-table",
        "drop-partition",
        "truncate",
    ]
)
"""Reads, looks at status tables, orders of operators, and what concerns no single rows."""


def rows_of(call: Call) -> int:
    """How many rows a write carried, or says that it touched."""
    told = None if call.completion is None else call.completion.value
    if isinstance(told, dict) and type(told.get("rows")) is int:
        return int(told["rows"])
    value = call.invoke.value
    return len(value) if isinstance(value, list) else 1


def is_write(call: Call) -> bool:
    """Whether it is about rows that are to be there afterwards."""
    return call.invoke.f not in NO_WRITES


def is_acknowledged(call: Call) -> bool:
    """Whether a write was acknowledged."""
    return is_write(call) and call.outcome is OpType.OK


def _distinct(fs: Sequence[str]) -> tuple[str, ...]:
    """Appends and reads first, so that they always look the same."""
    return tuple(sorted(set(fs), key=lambda f: (f != "append", f != "read", f)))


class _Named:
    """Keys in order of appearance, each spelled once: spelling a hundred thousand takes long."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, key: object) -> int:
        spelled = key if type(key) is str else repr(key)
        code = self._codes.get(spelled)
        if code is None:
            code = self._codes[spelled] = len(self.names)
            self.names.append("" if key is None else value_text(key))
        return code


def _lanes(found: Sequence[Call], clients: int | None) -> int:
    processes = {call.invoke.process for call in found}
    return min(LANES_MAX, clients or len(processes))
