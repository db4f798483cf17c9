"""What replication promises of a slave: PR-5, PR-7 to PR-11, PR-14 to PR-16, PR-22.

Failures in a row, and what happened before a crash, are in no one state: a ledger follows them.
"""

from functools import partial
from typing import Any, NamedTuple

from ..actor import Broken, Kind, Property, Scope, Step
from ..replication_events import Order, Skip, Write
from ..replication_rules import Options
from ..replication_types import FOREIGN, Note, Reason, Slave, State, Status, What

_A, _S = Kind.ALWAYS, Scope.STEP

ONCE = Property("applied-once", _A, Scope.OBSERVER, None, ("PR-7",), "S01025, S01039")
LIMIT = Property("fails-at-the-limit", _A, Scope.OBSERVER, None, ("PR-9",), "S0 §3.1, U1")
NOT_AGAIN = Property("skipped-is-not-executed", _A, Scope.OBSERVER, None, ("PR-15",), "S0 §4.2")


class Account(NamedTuple):
    """What befell the tasks of a slave: failures in a row of each, which are applied, skipped.

    `counted`: the attempts whose failures they are.
    """

    failures: tuple[tuple[int, int], ...] = ()
    counted: frozenset[tuple[int, int]] = frozenset()
    applied: frozenset[int] = frozenset()
    skipped: frozenset[int] = frozenset()


class Ledger:
    """Follows one slave by its notes."""

    def __init__(self, options: Options, slave: int) -> None:
        self.name = f"ledger of slave {slave}"
        self.limit = options.limit
        self.slave = slave

    def initial(self) -> Account:
        return Account()

    def observe(self, a: Account, note: Note) -> Account | Broken:
        if note.slave != self.slave:
            return a
        match note.what:
            case What.STARTED:
                return a._replace(failures=(), counted=frozenset())
            case What.APPLIED:
                return self._applied(a, note.task)
            case What.SKIPPED:
                a = _without(a, note.task)
                return a._replace(skipped=a.skipped | {note.task})
        return self._failed(a, note)

    def _failed(self, a: Account, note: Note) -> Account | Broken:
        """F5: that task data is not persisted yet is no failure; and each attempt fails once."""
        attempt = (note.task, note.attempt)
        if note.reason is Reason.LATER or attempt in a.counted:
            return Broken(LIMIT.name, f"Task {note.task} is charged with what is no failure.")
        failed = dict(a.failures).get(note.task, 0) + 1
        if (failed >= self.limit) != (note.what is What.FAILED):
            what = "is" if note.what is What.FAILED else "is not"
            return Broken(LIMIT.name, f"Task {note.task} {what} FAILED after {failed} failures.")
        others = tuple(each for each in a.failures if each[0] != note.task)
        failures = tuple(sorted((*others, (note.task, failed))))
        return a._replace(failures=failures, counted=a.counted | {attempt})

    def _applied(self, a: Account, task: int) -> Account | Broken:
        if task in a.applied:
            return Broken(ONCE.name, f"Task {task} is applied a second time.")
        if task in a.skipped:
            return Broken(NOT_AGAIN.name, f"Task {task} was skipped.")
        return _without(a, task)._replace(applied=a.applied | {task})


def _without(a: Account, task: int) -> Account:
    return a._replace(
        failures=tuple(each for each in a.failures if each[0] != task),
        counted=frozenset(each for each in a.counted if each[0] != task),
    )


def _after(step: Step) -> Slave:
    assert isinstance(step.state, Slave)
    return step.state


def _slots(s: Slave, step: Step) -> Any:
    """Each slot before and after."""
    return zip(s.slots, _after(step).slots, strict=False)


def conflicts_in_order(s: Any, event: Any, step: Step) -> bool:
    """PR-5: "conflicting tasks are applied on the slave in taskId order"."""
    if not isinstance(s, Slave):
        return True
    ids = {slot.task.tid: slot.task.id for slot in _after(step).slots}
    done = ([ids[tid] for tid in tids] for tids in _own(_after(step)))
    return all(order == sorted(order) for order in done)


def _own(s: Slave) -> list[tuple[int, ...]]:
    return [tuple(tid for tid in tids if tid != FOREIGN) for tids in s.content]


def finish_means_applied(s: Any, event: Any, step: Step) -> bool:
    """PR-7: "FINISH ⇒ applied once or skipped"."""
    if not isinstance(s, Slave):
        return True
    done = [slot for slot in _after(step).slots if slot.state is State.FINISH]
    return all(slot.applied or slot.skipped for slot in done)


def visible_iff_recorded(s: Any, event: Any, step: Step) -> bool:
    """PR-8: "a task's data effect is visible on the slave iff its taskId is in the EditLog"."""
    if not isinstance(s, Slave):
        return True
    recorded = [slot.task for slot in _after(step).slots if slot.applied]
    return all(
        set(tids) == {task.tid for task in recorded if chunk in task.chunks}
        for chunk, tids in enumerate(_own(_after(step)))
    )


def stopped_shows_why(s: Any, event: Any, step: Step) -> bool:
    """PR-9: status "becomes STOPPED exactly when the budget is used up, and at that moment some
    task is FAILED with non-empty details". What an administrator stopped is stopped already (L4).
    """
    if not isinstance(s, Slave):
        return True
    after = _after(step).status
    new = [now for was, now in _slots(s, step) if _has_failed(was, now)]
    if s.status is not Status.ENABLED:
        return after is s.status or after is not Status.STOPPED
    stops = after is Status.STOPPED
    return stops == bool(new) and all(now.reason is not Reason.NONE for now in new)


def _has_failed(was: Any, now: Any) -> bool:
    return now.state is State.FAILED and was.state is not State.FAILED


def paused_is_quiet(s: Any, event: Any, step: Step) -> bool:
    """PR-10: "while STOPPED or DISABLED no new task moves to EXECUTING"."""
    if not isinstance(s, Slave) or s.status is Status.ENABLED:
        return True
    return all(now.run in (0, was.run) for was, now in _slots(s, step))


def only_a_start_enables(s: Any, event: Any, step: Step) -> bool:
    """PR-10, L5, L6: what is paused stays so until an administrator starts it (U8)."""
    if not isinstance(s, Slave) or s.status is Status.ENABLED:
        return True
    return event is Order.START or _after(step).status is not Status.ENABLED


def paused_pulls_nothing(s: Any, event: Any, step: Step) -> bool:
    """PR-11: "a slave not ENABLED never advances its pull offset"."""
    if not isinstance(s, Slave) or s.status is Status.ENABLED:
        return True
    return _after(step).offset == s.offset


def offset_never_falls(s: Any, event: Any, step: Step) -> bool:
    """PR-3: what was pulled is not pulled again."""
    return not isinstance(s, Slave) or _after(step).offset >= s.offset


def start_retries_the_failed(s: Any, event: Any, step: Step) -> bool:
    """PR-14: "the set of tasks re-executed is exactly the FAILED set"."""
    if not isinstance(s, Slave) or event is not Order.START:
        return True
    return all(
        now.state is (State.WAITING if was.state is State.FAILED else was.state) and now.fails == 0
        for was, now in _slots(s, step)
    )


def finish_is_final(s: Any, event: Any, step: Step) -> bool:
    """PR-14, PR-15: "no FINISH task is executed again", and it reads as FINISH for ever."""
    if not isinstance(s, Slave):
        return True
    return all(
        now.state is State.FINISH and not now.run
        for was, now in _slots(s, step)
        if was.state is State.FINISH
    )


def skip_is_of_one_task(s: Any, event: Any, step: Step) -> bool:
    """PR-15, PR-16: it "reads as FINISH"; others and "the cluster status" stay."""
    if not isinstance(s, Slave) or not isinstance(event, Skip):
        return True
    after = _after(step)
    others = all(was == now for was, now in _slots(s, step) if was.task.id != event.task)
    same = (after.status, after.offset, after.content) == (s.status, s.offset, s.content)
    reads = (now.state for _, now in _slots(s, step) if now.task.id == event.task)
    return others and same and all(state is State.FINISH for state in reads)


def clients_do_not_write(options: Options, s: Any, event: Any, step: Step) -> bool:
    """PR-22: "client writes on the slave to chunks of replicated DBs are rejected"; the refusal
    asks to stop replication first.
    """
    if not isinstance(event, Write) or step.state == s or s.status is Status.DISABLED:
        return True
    database = options.of(event.chunk // options.chunks)
    return not any(slot.task.chunks[0] in database for slot in s.slots)


def of_slaves(options: Options) -> tuple[Property, ...]:
    """The promises of a slave by itself."""
    found = [
        Property("conflicts-in-order", _A, _S, conflicts_in_order, ("PR-5",), "MECH 5, 6"),
        ONCE,
        Property("finish-means-applied", _A, _S, finish_means_applied, ("PR-7",), "MECH 9"),
        Property("visible-iff-recorded", _A, _S, visible_iff_recorded, ("PR-8",), "WP-DB 5, 6"),
        LIMIT,
        Property("stopped-shows-why", _A, _S, stopped_shows_why, ("PR-9",), "S0 §3.1, §4.2"),
        Property("paused-is-quiet", _A, _S, paused_is_quiet, ("PR-10",), "S0 §3.3, U3"),
        Property("only-a-start-enables", _A, _S, only_a_start_enables, ("PR-10",), "L5, L6, U8"),
        Property("paused-pulls-nothing", _A, _S, paused_pulls_nothing, ("PR-11",), "S0 §3.3"),
        Property("offset-never-falls", _A, _S, offset_never_falls, ("PR-3",), "MECH 1"),
        Property(
            "start-retries-the-failed", _A, _S, start_retries_the_failed, ("PR-14",), "S0 §4.2"
        ),
        Property("finish-is-final", _A, _S, finish_is_final, ("PR-14", "PR-15"), "S0 §4.2"),
        NOT_AGAIN,
        Property("skip-is-of-one-task", _A, _S, skip_is_of_one_task, ("PR-15", "PR-16"), "S0 §4.2"),
    ]
    if options.clients:
        found.append(
            Property(
                "clients-do-not-write", _A, _S, partial(clients_do_not_write, options),
                ("PR-22",), "S01023",
            )
        )  # fmt: skip
    return tuple(found)
