"""When a run's phases began, and when its faults were in force."""

from typing import Any

import msgspec

from ..history import History
from ..op import HARNESS, NEMESIS, Op, OpType

UNDOES: dict[str, frozenset[str]] = {
    "heal": frozenset({"partition", "delay", "rate", "packets", "messages", "hold", "drop"}),
    "release": frozenset({"hold"}),
    "restart": frozenset({"kill", "power-cut", "pause"}),
    "resume": frozenset({"pause"}),
    "mend": frozenset({"disk", "read-only", "throttle", "memory", "crash-loop"}),
    "set-clock": frozenset({"clock"}),
}
"""Which faults each repairing act takes back. A process that is started is not stopped any more."""

STAGE = "stage"
"""An act that does nothing: it says that a state was reached."""

BY_LINK = frozenset({"heal", "release"})
"""Repairing acts that name links."""

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
        return self.asked_for("kind") or self.f

    def asked_for(self, key: str) -> str | None:
        """What the asking says under this key, if that is a word."""
        value = self.asked.value
        word = value.get(key) if isinstance(value, dict) else None
        return word if isinstance(word, str) else None

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

    @property
    def title(self) -> str:
        """What was done to whom: `partition of n1`."""
        return f"{self.f} of {', '.join(self.nodes)}" if self.nodes else self.f

    @property
    def links(self) -> frozenset[tuple[str, str]] | None:
        """The directed links it touched, or None if the receipt does not say."""
        links = self.details.get("links")
        if not isinstance(links, list):
            return None
        return frozenset((str(link[0]), str(link[1])) for link in links)

    @property
    def hit_nothing(self) -> bool:
        """Whether the receipt says that there was nobody to hit."""
        return self.receipt is not None and not self.nodes and not self.links


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


def context(history: History, start_ns: int, end_ns: int) -> str:
    """A sentence on the faults that were in force in between; empty if there were none."""
    told = [
        f"{', '.join(window.faults)} (since {window.start_ns / 1e9:.3f} s)"
        for window in history.derived(windows)
        if window.overlaps(start_ns, max(end_ns, start_ns + 1))
    ]
    return f" Faults in force then: {', '.join(told)}." if told else ""


class Force(msgspec.Struct, frozen=True):
    """One fault in force: on a member, or on links (both None: on what, nobody wrote down)."""

    fault: str
    node: str | None = None
    links: frozenset[tuple[str, str]] | None = None
    name: str | None = None
    """By which name it is undone, where only the name tells."""


def windows(history: History) -> list[Window]:
    """Stretches in which at least one fault was in force, joined where faults overlap."""
    found: list[Window] = []
    active: list[Force] = []
    names: list[str] = []
    start = 0
    for time_ns, act in _in_force(history):
        if act.f in DISRUPTIVE and not act.hit_nothing:
            if not active:
                start, names = time_ns, []
            active += _forces(act)
            names += [act.title] if act.title not in names else []
        elif active:
            active = [force for force in active if not _undoes(act, force)]
            if not active:
                found.append(Window(start, time_ns, tuple(names)))
    if active:
        last = phase(history, "heal") or history.ops[-1]
        found.append(Window(start, max(start, last.time_ns), tuple(names)))
    return found


def _in_force(history: History) -> list[tuple[int, Act]]:
    """Acts by the time that counts: a fault's from being asked for, a repair's once it is done."""
    timed = [
        (act.asked if act.f in DISRUPTIVE or act.receipt is None else act.receipt, act)
        for act in acts(history)
    ]
    timed.sort(key=lambda pair: pair[0].index)
    return [(op.time_ns, act) for op, act in timed]


def _forces(act: Act) -> list[Force]:
    if act.f in UNDOES["heal"] or not act.nodes:
        return [Force(act.f, links=act.links, name=act.asked_for("name"))]
    return [Force(act.f, node=node) for node in act.nodes]


def _undoes(act: Act, force: Force) -> bool:
    """Whether a repair takes a fault back: where it names no member or link, it means all."""
    if force.fault not in UNDOES.get(act.f, frozenset()):
        return False
    if force.name is not None and act.asked_for("target") not in ("all", force.name):
        return False
    if act.f in BY_LINK:
        return act.links is None or force.links is None or force.links <= act.links
    return not act.nodes or force.node is None or force.node in act.nodes
