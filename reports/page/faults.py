"""What was broken and mended, when, and what the receipts say about it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ...harness.history import History
from ...harness.op import NEMESIS, Op, OpType
from ..prose import shortened, value_text

UNDOES: dict[str, frozenset[str]] = {
    "heal": frozenset({"partition", "delay", "rate", "packets", "messages", "hold", "drop"}),
    "release": frozenset({"hold"}),
    "restart": frozenset({"kill", "power-cut", "pause"}),
    "resume": frozenset({"pause"}),
    "mend": frozenset({"disk", "read-only", "throttle", "memory", "crash-loop"}),
    "set-clock": frozenset({"clock"}),
}
"""Which faults each repairing act takes back."""

BY_LINK = frozenset({"heal", "release"})
"""Repairing acts that name the links that they touched, and the fault that they were for."""

STAGE = "stage"
"""An act that does nothing: it says that a state was reached."""

MOMENTARY = frozenset({"reset", "bit-flip", "cut-tail", "lose-task-data"})
"""Faults that are over as soon as they are done."""

DEAD, PAUSED = "dead", "paused"

Pair = tuple[str, str]


class Probe(msgspec.Struct, frozen=True):
    """A few bytes sent over one directed link. `seconds` is None where they did not arrive."""

    source: str
    destination: str
    seconds: float | None
    wanted_cut: bool

    @property
    def is_as_wanted(self) -> bool:
        return (self.seconds is None) == self.wanted_cut


class Act(msgspec.Struct, frozen=True):
    """One act of the nemesis, from the asking (`start`) to the receipt (`done`).

    `number` counts the faults; acts that undo faults have none and name those in `undoes`. A
    fault is in force from `start` to `end`: when it was undone, or None if the run's end found it
    in force. Times are microseconds. `message` is the kind of message that a rule is about, and
    `name` the word by which a rule is undone. `bit` is None where there is no receipt that says.
    """

    f: str
    kind: str
    target: str
    index: int
    start: int
    done: int | None
    number: int | None = None
    undoes: tuple[int, ...] = ()
    end: int | None = None
    nodes: tuple[str, ...] = ()
    links: tuple[Pair, ...] = ()
    probes: tuple[Probe, ...] = ()
    states: tuple[tuple[str, str], ...] = ()
    other: tuple[tuple[str, str], ...] = ()
    message: str = ""
    name: str | None = None
    bit: bool | None = None
    error: str | None = None

    def label(self, members: Sequence[str]) -> str:
        """What it is, in a few words: `partition n1`, but `partition majority-ring` for all."""
        is_for_all = bool(self.target) and len(self.nodes) > 1 and set(self.nodes) >= set(members)
        where = self.target if is_for_all else ", ".join(self.nodes) or self.target
        return " ".join(filter(None, (self.kind, self.message, where)))

    def is_in_force(self, time_us: int) -> bool:
        """Whether the fault was in force at that time."""
        return self.start <= time_us and (self.end is None or time_us < self.end)


def acts(history: History) -> tuple[Act, ...]:
    """All that the nemesis did, in order of asking; faults with the time of their undoing."""
    numbered: list[Act] = []
    count = 0
    for asked, receipt in _joined(history.of(NEMESIS)):
        is_fault = asked.f not in UNDOES and asked.f != STAGE
        count += is_fault
        numbered.append(_act(asked, receipt, count if is_fault else None))
    return tuple(_ended(numbered))


def faults(done: Iterable[Act]) -> list[Act]:
    """Only what broke something."""
    return [act for act in done if act.number is not None]


def _joined(ops: Iterable[Op]) -> Iterator[tuple[Op, Op | None]]:
    """Each asking with its receipt: acts of one kind are done in order."""
    waiting: dict[str, list[int]] = {}
    found: list[tuple[Op, Op | None]] = []
    for op in ops:
        if op.type is OpType.INVOKE:
            waiting.setdefault(op.f, []).append(len(found))
            found.append((op, None))
        elif waiting.get(op.f):
            at = waiting[op.f].pop(0)
            found[at] = (found[at][0], op)
    yield from found


def _act(asked: Op, receipt: Op | None, number: int | None) -> Act:
    wish = _mapping(asked.value)
    value = _mapping(None if receipt is None else receipt.value)
    observed = _mapping(value.get("observed"))
    bit = value.get("bit")
    return Act(
        f=asked.f,
        kind=str(wish.get("kind", asked.f)),
        target=_target_text(wish.get("target")),
        index=asked.index,
        start=asked.time_ns // 1000,
        done=None if receipt is None else receipt.time_ns // 1000,
        number=number,
        nodes=tuple(map(str, _sequence(value.get("nodes")))),
        links=tuple(_pairs(value.get("links"))),
        probes=tuple(_probes(observed.get("links"), _mapping(value.get("wanted")))),
        states=tuple((str(n), str(s)) for n, s in _mapping(observed.get("processes")).items()),
        other=_other(wish, observed),
        message=str(_mapping(wish.get("rule")).get("message", "")),
        name=str(wish["name"]) if "name" in wish else None,
        bit=bit if isinstance(bit, bool) else None,
        error=None if receipt is None or not receipt.error else shortened(receipt.error),
    )


def _ended(numbered: list[Act]) -> list[Act]:
    """Give each fault the time at which it was undone, member by member where members are named."""
    found = list(numbered)
    active: dict[int, set[str]] = {}
    for at, act in enumerate(numbered):
        if act.number is not None:
            if act.f in MOMENTARY:
                found[at] = msgspec.structs.replace(act, end=act.done or act.start)
                continue
            # A fault that missed its moment was never in force.
            if act.nodes or act.links or act.done is None:
                active[at] = set(act.nodes)
            else:
                found[at] = msgspec.structs.replace(act, end=act.start)
            continue
        ended = act.start if act.done is None else act.done
        taken_back = _undone(numbered, active, act)
        numbers = tuple(n for undone in taken_back if (n := numbered[undone].number) is not None)
        found[at] = msgspec.structs.replace(act, undoes=numbers)
        for undone in taken_back:
            active[undone] -= (
                set(act.nodes) if act.f not in BY_LINK and act.nodes else active[undone]
            )
            if not active[undone]:
                found[undone] = msgspec.structs.replace(found[undone], end=ended)
                del active[undone]
    return found


def _undone(numbered: list[Act], active: dict[int, set[str]], act: Act) -> list[int]:
    """The faults, by position, that this repair takes back as a whole or in part."""
    candidates = [at for at in active if numbered[at].f in UNDOES.get(act.f, ())]
    if act.f not in BY_LINK and act.nodes:
        # Of a fault without a receipt nobody knows whom it hit.
        return [at for at in candidates if not active[at] or active[at] & set(act.nodes)]
    if act.f not in BY_LINK or act.target == "all":
        return candidates
    named = [at for at in candidates if numbered[at].name == act.target]
    if named:
        return named
    candidates = [at for at in candidates if numbered[at].name is None]
    # Network faults stack, and a heal names the links that it opened and the fault it was for.
    healed = set(act.links)
    covered = [at for at in candidates if healed.issuperset(numbered[at].links)]
    same = [at for at in covered if numbered[at].target == act.target]
    return same[:1] or covered


def _probes(observed: Any, wanted: dict[str, Any]) -> Iterator[Probe]:
    for name, seconds in _mapping(observed).items():
        source, arrow, destination = name.partition("->")
        if arrow:
            arrived = float(seconds) if type(seconds) in (int, float) else None
            yield Probe(source, destination, arrived, _is_cut(wanted.get(name)))


def _is_cut(state: Any) -> bool:
    """Whether a link's wanted state is cut; states are lists that begin with that."""
    return isinstance(state, list) and bool(state) and state[0] is True


def _other(wish: dict[str, Any], observed: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """What else was asked or observed, for the reader to judge."""
    extra = {name: value for name, value in wish.items() if name not in ("kind", "target")}
    extra |= {name: v for name, v in observed.items() if name not in ("links", "processes")}
    return tuple((name, _other_text(value)) for name, value in extra.items())


def _other_text(value: Any) -> str:
    """`n1 yes, n2 no`, or the value as it stands."""
    if isinstance(value, dict) and all(isinstance(item, bool) for item in value.values()):
        return ", ".join(f"{name} {'yes' if item else 'no'}" for name, item in value.items())
    return value_text(value)


def _pairs(value: Any) -> Iterator[Pair]:
    for pair in _sequence(value):
        if isinstance(pair, list) and len(pair) == 2:
            yield (str(pair[0]), str(pair[1]))


def _target_text(target: Any) -> str:
    """`leader`, `n1, n2`, `n1 | n2, n3` or `n1 to n2`."""
    if isinstance(target, str):
        return shortened(target)
    if isinstance(target, dict) and set(target) == {"from", "to"}:
        return f"{_target_text(target['from'])} to {_target_text(target['to'])}"
    if isinstance(target, list):
        sign = " | " if any(isinstance(part, list) for part in target) else ", "
        return shortened(sign.join(map(_target_text, target)))
    return "" if target is None else value_text(target)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
