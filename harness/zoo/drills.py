"""The guard `drills`: every kind of fault at members known beforehand, and a world that disobeys.

In the scenarios `drill` and `drill-replication` each receipt can be held against what must stand in
it, written down here once more. Then the same orders are given to worlds that carry out none of
them: a receipt that says that such a fault took hold would say so of any.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from ..checkers.faults import FAULTS
from ..checkers.replication.story import poll
from ..checkers.timeline import Act, acts
from ..history import History
from ..history import load as load_history
from ..op import OpType
from ..simulate.campaign import Case
from ..simulate.cli import job_of
from ..simulate.clock import EPOCH_NS
from ..simulate.execute import Simulated, simulate_plan
from ..targets.sim import SimCluster
from ..traces import Received, Trace
from ..verdict import Validity
from .guard import Guard, Noticed
from .sabotage import attribute

SCENARIO = "drill"
OF_TASK_DATA = "drill-replication"
"""Where there is a master that keeps something for its slave."""

Links = frozenset[tuple[str, str]]


def _pairs(*words: str) -> Links:
    """`n1>n2` as a link."""
    return frozenset((a, b) for a, _, b in (word.partition(">") for word in words))


class Drill(NamedTuple):
    """One fault of the scenario: whom it hits, which links, what is seen there, what undoes it.

    `seen` are parts of the receipt's `observed`. Over the links of `silent` nothing may arrive
    while it lasts, by the traces of those at the other end.
    """

    f: str
    undo: str | None
    nodes: tuple[str, ...]
    links: Links | None = None
    seen: Mapping[str, Any] = {}
    silent: Links = frozenset()


def _isolated(alias: str, *others: str) -> Drill:
    words = [word for other in others for word in (f"{alias}>{other}", f"{other}>{alias}")]
    cut, seen = _pairs(*words), {f"links.{word.replace('>', '->')}": None for word in words}
    return Drill("partition", "heal", (alias,), cut, seen, cut)


DRILLS = (
    _isolated("n1", "n2", "n3"),
    Drill(
        "partition",
        "heal",
        ("n1",),
        _pairs("n1>n2"),
        {"links.n1->n2": None},
        silent=_pairs("n1>n2"),
    ),
    Drill("delay", "heal", ("n2",), _pairs("n2>n3")),
    Drill("rate", "heal", ("n3",), _pairs("n3>n1")),
    Drill(
        "messages",
        "heal",
        ("n1",),
        _pairs("n1>n3"),
        {"messages.n1->n3.lose": 1.0},
        silent=_pairs("n1>n3"),
    ),
    Drill("reset", None, ("n1",), _pairs("n1>n2", "n1>n3", "n2>n1", "n3>n1")),
    Drill("kill", "restart", ("n2",), seen={"processes.n2": "dead"}),
    Drill("power-cut", "restart", ("n3",), seen={"processes.n3": "dead"}),
    Drill("pause", "resume", ("n1",), seen={"processes.n1": "paused"}),
    Drill("disk", "mend", ("n2",), seen={"disks.n2.slow": 20.0}),
    Drill("read-only", "mend", ("n1",), seen={"read-only.n1": True}),
    Drill("crash-loop", "mend", ("n2",), seen={"crashes.n2.every_s": 0.2}),
    Drill("clock", "set-clock", ("n3",), seen={"clocks.n3.offset_s": 5.0}),
    Drill("drop", "heal", ("n1",), _pairs("n1>n2"), silent=_pairs("n1>n2")),
    Drill("hold", "heal", ("n2",), _pairs("n2>n3"), silent=_pairs("n2>n3")),
    _isolated("n2", "n1", "n3"),
)

_CUT_OFF = ("s1c1", "s1d1")
_ACROSS = [f"{one}>{other}" for one in ("mc1", "md1") for other in _CUT_OFF]

DRILLS_OF_TASK_DATA = (
    Drill(
        "partition",
        "heal",
        _CUT_OFF,
        _pairs(*_ACROSS, *(">".join(reversed(word.split(">"))) for word in _ACROSS)),
        {"links.s1c1->mc1": None, "links.mc1->s1c1": None},
    ),
    Drill("lose-task-data", None, ("md1",)),
)
"""In the order in which they begin; the second one falls into the first."""

LIVES = {"n1": 1, "n2": 4, "n3": 2}
"""In which life each member is at the end, by its own trace: who was ended has another."""

SEED = 3
"""Of a world in which n1 leads when its messages are lost, and again when they are dropped."""

UNDER_WAY_NS = 20_000_000
"""What was under way when a fault began may still arrive."""


def look() -> Iterator[Noticed | None]:
    """The receipts and traces of both drills, then the receipts of worlds that disobey."""
    found = _played(SCENARIO)
    yield from _receipts(found)
    lives = {alias: _life(trace) for alias, trace in found.traces.items()}
    sentence = f"By their traces, members are in these lives: {lives}, not {LIVES}."
    yield None if lives == LIVES else Noticed("traces", sentence)
    yield from _removed()
    yield from _disobeyed(SCENARIO, DRILLS)
    yield from _disobeyed(OF_TASK_DATA, DRILLS_OF_TASK_DATA)


def _receipts(found: Simulated) -> Iterator[Noticed | None]:
    """What was done in the drill of a group's members, fault by fault."""
    done = acts(_history(found))
    wanted = [f for drill in DRILLS for f in (drill.f, drill.undo) if f is not None]
    if [act.f for act in done] != wanted:
        said = ", ".join(act.f for act in done) or "nothing"
        yield Noticed("acts", f"What was done is {said}; it should be {', '.join(wanted)}.")
        return
    for act in done:
        hollow = Noticed(f"receipt of {act.f}", f"A {act.f} of the drill did not take hold.")
        yield None if act.bit else hollow
    left = iter(done)
    for drill in DRILLS:
        act, undo = next(left), None if drill.undo is None else next(left)
        wrong = _wrong(act, drill)
        sentence = f"The {drill.f} of the drill {wrong}."
        yield None if wrong is None else Noticed(f"receipt of {drill.f}", sentence)
        if undo is not None:
            yield from _heard(found, drill, act, undo)


def _removed() -> Iterator[Noticed | None]:
    """What was done in the drill of task data, and what the slave missed afterwards."""
    history = _history(_played(OF_TASK_DATA))
    by_kind = {act.f: act for act in acts(history)}
    for drill in DRILLS_OF_TASK_DATA:
        act = by_kind.get(drill.f)
        wrong = "did not take hold" if act is None or not act.bit else _wrong(act, drill)
        sentence = f"The {drill.f} of the drill {wrong}."
        yield None if wrong is None else Noticed(f"receipt of {drill.f}", sentence)
    failed = {
        task.id: task.details
        for call in history.calls()
        if call.invoke.f == "tasks" and call.outcome is OpType.OK
        for task in poll(call, call.invoke.key or "").tasks.values()
        if task.state == "FAILED"
    }
    missed = any("taskData" in details for details in failed.values())
    sentence = f"Tasks whose data was removed did not fail for want of it; what failed: {failed}."
    yield None if missed else Noticed("tasks of the slave", sentence)


def _played(scenario: str) -> Simulated:
    return simulate_plan(job_of(scenario).plan(Case(SEED)))


def _history(found: Simulated) -> History:
    return load_history(io.BytesIO(found.history))


def _wrong(act: Act, drill: Drill) -> str | None:
    """What of a receipt is not as it must be."""
    if tuple(act.nodes) != drill.nodes:
        return f"hit {', '.join(act.nodes) or 'nobody'}, not {', '.join(drill.nodes)}"
    if drill.links is not None and act.links != drill.links:
        return f"touched the links {sorted(act.links or ())}, not {sorted(drill.links)}"
    for place, value in drill.seen.items():
        found: Any = act.details.get("observed")
        for name in place.split("."):
            found = found.get(name, "nothing") if isinstance(found, dict) else "nothing"
        if found != value:
            return f"saw {found} at {place}, not {value}"
    return None


def _heard(found: Simulated, drill: Drill, act: Act, undo: Act) -> Iterator[Noticed | None]:
    """Messages that arrived where none can, by the traces."""
    assert act.receipt is not None
    first_ns = EPOCH_NS + act.receipt.time_ns + UNDER_WAY_NS
    last_ns = EPOCH_NS + undo.asked.time_ns
    for sender, receiver in sorted(drill.silent):
        arrived = [
            one.t_ns
            for one in Trace(found.traces[receiver]).records
            if isinstance(one.event, Received) and one.event.uid[0] == sender
        ]
        count = sum(first_ns < t_ns < last_ns for t_ns in arrived)
        sentence = (
            f"While the {drill.f} of the drill was in force, {count} messages from {sender} "
            f"arrived at {receiver}, by its trace."
        )
        yield Noticed("traces", sentence) if count else None
        sentence = f"By the trace of {receiver}, nothing ever arrived from {sender}."
        yield None if arrived else Noticed("traces", sentence)


def _life(trace: bytes) -> int:
    return max((one.inc for one in Trace(trace).records), default=0)


def _disobeyed(scenario: str, drills: Sequence[Drill]) -> Iterator[Noticed | None]:
    with _deaf():
        found = _played(scenario)
    believed = {act.f for act in acts(_history(found)) if act.bit}
    for drill in drills:
        sentence = f"A {drill.f} that nobody carried out left a receipt that says it took hold."
        yield Noticed(f"receipt of {drill.f}", sentence) if drill.f in believed else None
    (told,) = (one.validity for one in found.verdict.verdicts if one.checker == FAULTS.name)
    sentence = f"In a world that disobeys, it says {told.value}."
    yield None if told is Validity.INCONCLUSIVE else Noticed(FAULTS.name, sentence)


@contextmanager
def _deaf() -> Iterator[None]:
    """A world that takes orders and does not carry them out."""

    async def nothing(*_: Any, **__: Any) -> None:
        return None

    async def none(*_: Any) -> int:
        return 0

    orders = (
        "set_writable",
        "set_links",
        "set_messages",
        "set_disk",
        "set_clock",
        "set_crashes",
        "set_process",
        "cut_power",
    )
    with ExitStack() as stack:
        for name in orders:
            stack.enter_context(attribute(SimCluster, name, nothing))
        for name in ("reset_links", "set_rules", "lose_task_data"):
            stack.enter_context(attribute(SimCluster, name, none))
        yield


DRILL = Guard(
    "drills",
    "plays every kind of fault at members known beforehand, holds receipts and traces against what "
    "must stand in them, and does it again in a world that disobeys",
    "Every fault still takes hold where it should, and its receipt says so.",
    look,
)
