"""Which transactions must, may, or must not reach a slave, and when: the oracle of replication.

    MUST      the master and the database were certainly switched on for the whole of it, it was
              acknowledged, no operator may have skipped it, and its data cannot have been lost
    MUST-NOT  the master or the database was certainly switched off for the whole of it, or an
              operator skipped it
    MAY       otherwise: it met a switch, nobody knows whether it happened, its data may be lost

That is what clients know. What the status tables said in the end narrows MAY down, and says when: a
task that reads FINISH is there afterwards, one that does not is not there before.
"""

from collections.abc import Iterator, Sequence
from enum import Enum

import msgspec

from ...language.sides import MASTER
from ..timeline import Act
from .story import NEVER, Poll, Story, Txn
from .switches import Switch


class Fate(Enum):
    """What may come of a transaction on a slave."""

    MUST = "must"
    MAY = "may"
    MUST_NOT = "must not"


class Bounds(msgspec.Struct, frozen=True):
    """A fate, and between which indices it can come true; `why` it is no MUST."""

    fate: Fate
    low: int
    high: int = NEVER
    why: str = ""


class Loss(msgspec.Struct, frozen=True):
    """When task data may be lost: always while data nodes die, unless it is synced first."""

    synced: bool = False
    window_ns: int = 5_000_000_000
    """How long after its acknowledgement a transaction's data may still be on its way to disk."""


DAMAGING = ("lose-task-data", "bit-flip", "cut-tail")
_DEADLY = ("kill", "power-cut", "disk", *DAMAGING)


def by_clients(found: Story, slave: str, loss: Loss) -> dict[int, Bounds]:
    """Every transaction's bounds by what clients and operators know."""
    skipped = _skipped(found, slave)
    deaths = [*(act for act in found.acts if act.f in _DEADLY), *fallen(found.acts)]
    until = NEVER if found.settled is None else found.settled
    bounds = {}
    for txn in found.txns:
        fate, why = by_switches(found, txn)
        if fate is Fate.MUST and _may_be_lost(txn, deaths, loss):
            fate, why = Fate.MAY, "its task data may be lost"
        if fate is Fate.MUST and txn.was_idle:
            fate, why = Fate.MAY, "it changed nothing"
        if fate is not Fate.MUST_NOT and (txn.number in skipped or txn.kind in skipped):
            fate, why = Fate.MAY, "an operator may have skipped it"
        high = until if fate is Fate.MUST else NEVER
        bounds[txn.number] = Bounds(fate, txn.begin, high, why)
    return bounds


def by_status(found: Story, slave: str, known: dict[int, Bounds]) -> dict[int, Bounds]:
    """The same, narrowed down by what the slave's table said of the tasks."""
    polls = found.tasks.get(slave, [])
    ids = task_ids(found)
    bounds = dict(known)
    for txn in found.txns:
        task = ids.get(txn.number)
        if task is None:
            continue
        was = known[txn.number]
        low, high, is_skipped = was.low, was.high, False
        for poll in polls:
            row = poll.tasks.get(task)
            if row is not None and row.is_skipped:
                is_skipped = True
            elif row is not None and row.state == "FINISH":
                high = min(high, poll.end)
            elif poll.tells_of(task) if row is None else row.state in ("WAITING", "FAILED"):
                low = max(low, poll.begin)
        if is_skipped:
            bounds[txn.number] = Bounds(Fate.MUST_NOT, low, high, "its task was skipped")
        elif was.fate is not Fate.MUST_NOT:
            fate = Fate.MUST if high < NEVER else was.fate
            bounds[txn.number] = Bounds(fate, low, high, was.why)
    return bounds


def on_master(found: Story) -> dict[int, Bounds]:
    """Every transaction's bounds on the master itself: by its acknowledgement it is there."""
    return {
        txn.number: Bounds(Fate.MUST if txn.is_certain else Fate.MAY, txn.begin, txn.end)
        for txn in found.txns
    }


def task_ids(found: Story) -> dict[int, int]:
    """Transaction → the id of its task, as far as a status table of any side tells."""
    ids: dict[int, int] = {}
    for poll in _polls(found):
        for task in poll.tasks.values():
            txn = found.by_tid.get(task.tid)
            if txn is not None:
                ids.setdefault(txn.number, task.id)
    return ids


def by_switches(found: Story, txn: Txn) -> tuple[Fate, str]:
    """Whether the switches let it become a task, and why not."""
    master, flag = found.runs[MASTER], _flag(found, txn)
    if flag is None or flag.is_certainly(False, txn.begin, txn.end):
        return Fate.MUST_NOT, f"{txn.database} was switched off"
    if master.is_certainly(False, txn.begin, txn.end):
        return Fate.MUST_NOT, "replication was switched off on the master"
    if not txn.is_certain:
        return Fate.MAY, "nobody knows whether it happened"
    is_on = flag.is_certainly(True, txn.begin, txn.end)
    if is_on and master.is_certainly(True, txn.begin, txn.end):
        return Fate.MUST, ""
    return Fate.MAY, "a switch was set meanwhile"


def _flag(found: Story, txn: Txn) -> Switch | None:
    """The database's switch as the transaction finds it; who drops it switches it off as well."""
    flag = found.flags.get(txn.database)
    if flag is None or txn.f != "drop-db":
        return flag
    others = tuple(setting for setting in flag.settings if setting.call is not txn.call)
    return Switch(flag.first, others)


_UNTIL = {"read-only": "restart", "memory": "restart", "crash-loop": "mend"}
"""What may end members at any time, and up to which act they may have died by it."""


def fallen(acts: Sequence[Act]) -> Iterator[Act]:
    """Who was denied what it needs and had to be started again, or crashed again and again."""
    for at, fault in enumerate(acts):
        until = _UNTIL.get(fault.f)
        for act in acts[at + 1 :]:
            if act.f == until and set(act.nodes) & set(fault.nodes):
                yield Act(fault.asked, act.receipt)


def _may_be_lost(txn: Txn, deaths: list[Act], loss: Loss) -> bool:
    """Whether the data node that ran it may have died before its data was on disk."""
    if not txn.is_write:
        return False
    if loss.synced:
        return any(act.f in DAMAGING for act in deaths)
    done = txn.call.completion or txn.call.invoke
    node = done.node or txn.call.invoke.node
    for act in deaths:
        over = act.asked if act.receipt is None else act.receipt
        late = act.asked.time_ns > done.time_ns + loss.window_ns
        if (node in act.nodes or not act.nodes) and over.index > txn.begin and not late:
            return True
        if act.f in DAMAGING:
            return True
    return False


def _skipped(found: Story, slave: str) -> set[int | tuple[str, str, str]]:
    """Transactions that an operator may have skipped; of those without a known tid, the kinds."""
    skipped: set[int | tuple[str, str, str]] = set()
    tasks = {task.id: task for poll in _polls(found) for task in poll.tasks.values()}
    for call in found.skips.get(slave, []):
        for number in call.invoke.value:
            task = tasks.get(number)
            if task is None:
                skipped |= {txn.number for txn in found.txns}
                continue
            txn = found.by_tid.get(task.tid)
            skipped.add(task.kind if txn is None else txn.number)
    return skipped


def _polls(found: Story) -> Iterator[Poll]:
    yield from found.queue
    for polls in found.tasks.values():
        yield from polls
