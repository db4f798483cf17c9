"""What replication comes to once faults have ended: PR-10 and PR-25 to PR-31."""

from typing import Any

from ..actor import Kind, Property, Scope
from ..replication_rules import Options
from ..replication_types import FOREIGN, Master, Slave, State, Status


def _master(locals_: tuple[Any, ...]) -> Master:
    return next(s for s in locals_ if isinstance(s, Master))


def _slaves(locals_: tuple[Any, ...]) -> list[Slave]:
    """Those that may pull: U13, who comes when tasks are truncated is refused."""
    m = _master(locals_)
    return [s for s in locals_ if isinstance(s, Slave) and s.offset >= m.cut]


def applied_to(s: Slave, chunk: int) -> tuple[int, ...]:
    """What transactions of the master did to a chunk there."""
    return tuple(tid for tid in s.content[chunk] if tid != FOREIGN)


def has_everything(m: Master, s: Slave) -> bool:
    """All that the queue ever had is FINISH here, and done to every chunk unless skipped."""
    if s.offset < len(m.tasks) or any(slot.state is not State.FINISH for slot in s.slots):
        return False
    skipped = {slot.task.tid for slot in s.slots if slot.skipped}
    return all(
        applied_to(s, chunk)
        == tuple(t.tid for t in m.tasks if chunk in t.chunks and t.tid not in skipped)
        for chunk in range(len(s.content))
    )


def everything_finishes(locals_: tuple[Any, ...]) -> bool:
    """PR-26: "every task eventually reaches FINISH and both sides become equal"; PR-28, PR-29: from
    whatever failed or was stopped before. PR-25: whatever another slave does.
    """
    m = _master(locals_)
    return all(has_everything(m, s) for s in _slaves(locals_))


def everything_is_truncated(locals_: tuple[Any, ...]) -> bool:
    """PR-30: "every fully FINISH task is eventually truncated on the master"."""
    m = _master(locals_)
    return m.cut == len(m.tasks) or not _slaves(locals_)


def leader_is_followed(locals_: tuple[Any, ...]) -> bool:
    """PR-31: "after a master controller leader change the slave pulls from the new leader"."""
    m = _master(locals_)
    return all(s.site == m.leader and s.offset == len(m.tasks) for s in _slaves(locals_))


def failing_ends(locals_: tuple[Any, ...]) -> bool:
    """PR-27: "a task that always fails leads to STOPPED after finitely many attempts"; PR-10: what
    executes when a stop arrives comes to its end.
    """
    m = _master(locals_)
    return all(
        (s.status is not Status.ENABLED or has_everything(m, s))
        and not any(slot.run for slot in s.slots)
        for s in _slaves(locals_)
    )


def nothing_is_missing(locals_: tuple[Any, ...]) -> bool:
    """What "eventually consistent" may be taken for: U4 says what of it does not hold."""
    m = _master(locals_)
    tids = {task.tid for task in m.tasks}
    flagged = {
        tid
        for tid, t in enumerate(m.transactions, start=1)
        if t.flagged and t.deed is t.deed.COMPLETE
    }
    return flagged <= tids and everything_finishes(locals_)


_E, _T = Kind.EVENTUALLY, Scope.TUPLE

FINISHES = Property(
    "every task finishes", _E, _T, everything_finishes,
    ("PR-25", "PR-26", "PR-28", "PR-29"), "S0 §1.1, §4.2",
)  # fmt: skip
TRUNCATED = Property(
    "what is finished is truncated", _E, _T, everything_is_truncated, ("PR-30",), "MECH 11"
)
FOLLOWED = Property("the leader is followed", _E, _T, leader_is_followed, ("PR-31",), "S0 §2.2")
ENDS = Property(
    "failing comes to an end", _E, _T, failing_ends, ("PR-10", "PR-27"), "S0 §3.1, §3.3"
)
EQUAL = Property("nothing is missing", _E, _T, nothing_is_missing, ("PR-26",), "S0 §1")


def eventually(options: Options) -> tuple[Property, ...]:
    """What the good phases decide."""
    found = [FINISHES, TRUNCATED, ENDS]
    if options.controllers > 1:
        found.append(FOLLOWED)
    return tuple(found)
