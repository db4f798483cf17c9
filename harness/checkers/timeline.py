"""When a run's phases began, and when its faults were in force."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ..history import History
from ..op import HARNESS, NEMESIS, Op, OpType

UNDOES: dict[str, frozenset[str]] = {
    "heal": frozenset({"partition", "delay", "rate"}),
    "restart": frozenset({"kill"}),
    "resume": frozenset({"pause"}),
}
"""Which faults each repairing act takes back."""

DISRUPTIVE = frozenset[str]().union(*UNDOES.values())


class Act(msgspec.Struct, frozen=True):
    """One act of the nemesis: `receipt` is None where the run ended before it was recorded."""

    asked: Op
    receipt: Op | None

    @property
    def f(self) -> str:
        return self.asked.f

    @property
    def kind(self) -> str:
        """What the plan calls it: a one-way cut is a `partition` in the history."""
        value = self.asked.value
        kind = value.get("kind") if isinstance(value, dict) else None
        return kind if isinstance(kind, str) else self.f

    @property
    def details(self) -> dict[str, Any]:
        """The receipt's value, or nothing."""
        value = None if self.receipt is None else self.receipt.value
        return value if isinstance(value, dict) else {}

    @property
    def bit(self) -> bool:
        """Whether the receipt shows that the act took hold."""
        return self.details.get("bit") is True

    @property
    def nodes(self) -> list[str]:
        """The members it hit, as resolved when it happened."""
        nodes = self.details.get("nodes")
        return [str(node) for node in nodes] if isinstance(nodes, list) else []


class Window(msgspec.Struct, frozen=True):
    """A stretch of time, from `start_ns` to `end_ns`, in which some fault was in force."""

    start_ns: int
    end_ns: int
    faults: tuple[str, ...]

    def overlaps(self, start_ns: int, end_ns: int) -> bool:
        return self.start_ns < end_ns and start_ns < self.end_ns


def phase(history: History, name: str) -> Op | None:
    """The op with which a phase began, or None if the run never reached it."""
    for op in history.of(HARNESS):
        if op.f == "phase" and op.value == name:
            return op
    return None


def acts(history: History) -> list[Act]:
    """What the nemesis did, in order of asking."""
    found: list[Act] = []
    waiting: dict[str, list[int]] = {}
    for op in history.of(NEMESIS):
        if op.type is OpType.INVOKE:
            waiting.setdefault(op.f, []).append(len(found))
            found.append(Act(op, None))
        elif waiting.get(op.f):
            at = waiting[op.f].pop(0)
            found[at] = Act(found[at].asked, op)
    return found


def windows(history: History) -> list[Window]:
    """Stretches in which at least one fault was in force, joined where faults overlap."""
    found: list[Window] = []
    # What is in force: a fault's name, and the member that it hit (None: links).
    active: set[tuple[str, str | None]] = set()
    names: list[str] = []
    start = 0
    for time_ns, act in _in_force(history):
        if act.f in DISRUPTIVE:
            if not active:
                start, names = time_ns, []
            active |= {(act.f, node) for node in _hit(act)}
            names += [act.f] if act.f not in names else []
        elif active:
            active -= _undone(active, act)
            if not active:
                found.append(Window(start, time_ns, tuple(names)))
    if active:
        last = phase(history, "heal") or history.ops[-1]
        found.append(Window(start, max(start, last.time_ns), tuple(names)))
    return found


def _in_force(history: History) -> Iterable[tuple[int, Act]]:
    """Acts by the time that counts: a fault's from being asked for, a repair's once it is done."""
    timed = [
        (act.asked if act.f in DISRUPTIVE or act.receipt is None else act.receipt, act)
        for act in acts(history)
    ]
    timed.sort(key=lambda pair: pair[0].index)
    return [(op.time_ns, act) for op, act in timed]


def _hit(act: Act) -> list[str | None]:
    by_node = act.f in UNDOES["restart"] | UNDOES["resume"]
    return [*act.nodes] if by_node and act.nodes else [None]


def _undone(active: set[tuple[str, str | None]], act: Act) -> set[tuple[str, str | None]]:
    """What a repair takes back: of the members that it names, or of all if it names none."""
    faults = UNDOES.get(act.f, frozenset())
    nodes = set(act.nodes) if act.f != "heal" else set()
    return {
        (fault, node)
        for fault, node in active
        if fault in faults and (not nodes or node is None or node in nodes)
    }
