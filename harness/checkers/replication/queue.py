"""Is the master's queue exactly what its transactions ask for, in order, and kept long enough?"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ...evidence import Evidence
from ...op import OpType
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from ..wrong import Wrong, failure
from .fates import Fate, by_switches
from .story import Poll, Story, Task, Txn, story, told

NAME = "replication-queue"
PROMISES: dict[str, tuple[str, ...]] = {
    "id-twice": ("PR-3",),
    "gap": ("PR-3",),
    "changed": ("PR-3",),
    "late": ("PR-3",),
    "no-task": ("PR-2",),
    "two-tasks": ("PR-2",),
    "unwanted": ("PR-1", "PR-12", "PR-13"),
    "unknown": ("PR-1",),
    "conflict": ("PR-6",),
    "group-order": ("PR-6",),
    "truncated-early": ("PR-17",),
    "backwards": ("PR-17",),
    "flag": ("PR-13", "PR-24"),
}
"""Kind → promises."""

CHECKED = ("PR-1", "PR-2", "PR-3", "PR-6", "PR-12", "PR-13", "PR-17", "PR-24")


def judge(evidence: Evidence) -> Verdict:
    """Hold every look at the queue against the transactions."""
    try:
        found = story(evidence.history)
        wrong = [
            *_identities(found),
            *_of_transactions(found),
            *_groups(found),
            *_truncation(found),
            *_flags(found, evidence),
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return undecided(NAME, f"The history cannot be judged: {type(error).__name__}: {error}.")
    tasks = max((len(poll.tasks) for poll in found.queue), default=0)
    details: dict[str, Any] = {"polls": len(found.queue), "tasks": tasks}
    if wrong:
        return failure(NAME, wrong, PROMISES, CHECKED, details)
    if not found.queue:
        return undecided(NAME, "Nobody looked at the master's queue.", Validity.INCONCLUSIVE)
    sentence = (
        f"{plural(tasks, 'task')} in the queue: one for each transaction that asks for one, in "
        f"order and without a gap, in {plural(len(found.queue), 'look')}."
    )
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def _identities(found: Story) -> Iterator[Wrong]:
    """An id means one task for ever, on every side; ids come without gaps."""
    first: dict[int, tuple[Task, Poll]] = {}
    polls = [*found.queue, *(poll for polls in found.tasks.values() for poll in polls)]
    for poll in sorted(polls, key=lambda poll: poll.begin):
        if poll.twice:
            sentence = f"{told(poll.call, capital=True)} shows task {poll.twice[0]} twice."
            yield Wrong("id-twice", sentence, (poll.call,))
            return
        ids = sorted(poll.tasks)
        hole = next((a for a, b in pairwise(ids) if b != a + 1), None)
        if hole is not None:
            sentence = f"{told(poll.call, capital=True)} shows task {hole}, but no {hole + 1}."
            yield Wrong("gap", sentence, (poll.call,))
            return
        for task in poll.tasks.values():
            was, where = first.setdefault(task.id, (task, poll))
            if (was.tid, was.group, was.kind) != (task.tid, task.group, task.kind):
                sentence = (
                    f"Task {task.id} is {_spelled(task)} in {told(poll.call)}, but was "
                    f"{_spelled(was)} in {told(where.call)}."
                )
                yield Wrong("changed", sentence, (where.call, poll.call))
                return
    yield from _orders(found, first)


def _orders(found: Story, first: dict[int, tuple[Task, Poll]]) -> Iterator[Wrong]:
    """What was acknowledged before something else began has the smaller id."""
    by_id = sorted(
        (number, found.by_tid[task.tid])
        for number, (task, _) in first.items()
        if task.tid in found.by_tid
    )
    latest: tuple[int, Txn] | None = None
    for number, txn in by_id:
        if latest is not None and txn.end < latest[1].begin:
            sentence = (
                f"{told(txn.call, capital=True)} was acknowledged before {told(latest[1].call)} "
                f"began, yet its task is {number}, behind {latest[0]}."
            )
            yield Wrong("late", sentence, (txn.call, latest[1].call))
            return
        if latest is None or txn.begin > latest[1].begin:
            latest = (number, txn)


def _of_transactions(found: Story) -> Iterator[Wrong]:
    """One task for each transaction that must have one, none for any that must not."""
    seen: dict[int, tuple[Task, Poll]] = {}
    for poll in found.queue:
        for task in poll.tasks.values():
            seen.setdefault(task.id, (task, poll))
    by_tid: dict[int, list[tuple[Task, Poll]]] = {}
    for task, poll in seen.values():
        by_tid.setdefault(task.tid, []).append((task, poll))
    for tid, tasks in by_tid.items():
        if len(tasks) > 1:
            numbers = " and ".join(str(task.id) for task, _ in tasks)
            sentence = f"Tasks {numbers} stand for one transaction, {tid}."
            yield Wrong("two-tasks", sentence, (tasks[-1][1].call,))
            return
    yield from _missing(found, by_tid)
    yield from _unwanted(found, by_tid)
    yield from _unknown(found, seen)


def _missing(found: Story, by_tid: dict[int, list[tuple[Task, Poll]]]) -> Iterator[Wrong]:
    last = max(found.queue, key=lambda poll: poll.begin, default=None)
    if last is None or last.first:
        return
    for txn in found.txns:
        if txn.tid is None or txn.tid in by_tid or txn.end >= last.begin:
            continue
        if txn.was_idle:
            continue
        if by_switches(found, txn)[0] is Fate.MUST:
            sentence = (
                f"{told(txn.call, capital=True)} was acknowledged while master and database were "
                f"switched on, but {told(last.call)} shows no task of it (transaction {txn.tid})."
            )
            yield Wrong("no-task", sentence, (txn.call, last.call))
            return


def _unwanted(found: Story, by_tid: dict[int, list[tuple[Task, Poll]]]) -> Iterator[Wrong]:
    for txn in found.txns:
        if txn.tid not in by_tid:
            continue
        fate, why = by_switches(found, txn)
        if fate is Fate.MUST_NOT:
            task, poll = by_tid[txn.tid][0]
            sentence = (
                f"{told(poll.call, capital=True)} shows task {task.id} of {told(txn.call)}, "
                f"which must have none: {why}."
            )
            yield Wrong("unwanted", sentence, (txn.call, poll.call))
            return


def _unknown(found: Story, seen: dict[int, tuple[Task, Poll]]) -> Iterator[Wrong]:
    """Tasks of transactions that nobody was told of: no more than may have happened."""
    open_ones = Counter(txn.kind for txn in found.txns if txn.tid is None)
    for database, flag in found.flags.items():
        times = sum(setting.value for setting in flag.settings)
        open_ones["CREATE_DOMAIN", database, ""] += times
    for task, poll in sorted(seen.values(), key=lambda pair: pair[0].id):
        if task.tid in found.by_tid:
            continue
        open_ones[task.kind] -= 1
        if open_ones[task.kind] < 0:
            sentence = (
                f"{told(poll.call, capital=True)} shows task {task.id}, {_spelled(task)}, which "
                "nobody asked for, or which was refused."
            )
            yield Wrong("unknown", sentence, (poll.call,))
            return


def _groups(found: Story) -> Iterator[Wrong]:
    """Groups grow with ids, and no two tasks of one touch a common partition."""
    members: dict[int, dict[int, tuple[Task, Poll]]] = {}
    for poll in found.queue:
        ordered = [poll.tasks[number] for number in sorted(poll.tasks)]
        for one, other in pairwise(ordered):
            if other.group < one.group:
                sentence = (
                    f"{told(poll.call, capital=True)} shows task {other.id} in group "
                    f"{other.group}, behind task {one.id} in group {one.group}."
                )
                yield Wrong("group-order", sentence, (poll.call,))
                return
        for task in ordered:
            members.setdefault(task.group, {}).setdefault(task.id, (task, poll))
    for group, tasks in members.items():
        taken: dict[tuple[str, int], int] = {}
        for task, poll in tasks.values():
            clash = next((taken[p] for p in _partitions(found, task) if p in taken), None)
            if clash is None and len(tasks) > 1 and task.operation in _ALONE:
                clash = next(number for number in tasks if number != task.id)
                if tasks[clash][0].database != task.database:
                    clash = None
            if clash is not None:
                sentence = (
                    f"Tasks {clash} and {task.id} are both in group {group}, though they touch a "
                    f"common partition of {task.database}/{task.table}."
                )
                yield Wrong("conflict", sentence, (poll.call,))
                return
            taken |= dict.fromkeys(_partitions(found, task), task.id)


_ALONE = ("CREATE_DOMAIN", "CREATE_PARTITIONED_TABLE", "DROP_TABLE", "DROP_DB", "TRUNCATE_TABLE")
"""Operations that touch all partitions there are."""


def _partitions(found: Story, task: Task) -> list[tuple[str, int]]:
    """Partitions that the transaction certainly touched."""
    txn = found.by_tid.get(task.tid)
    if txn is None or txn.f not in ("append", "upsert"):
        return []
    path = f"{txn.database}/{txn.table}"
    return sorted({(path, int(row[1])) for row in txn.call.invoke.value["rows"]})


def _truncation(found: Story) -> Iterator[Wrong]:
    """What left the queue every slave has finished, and it does not come back."""
    gone: dict[int, Poll] = {}
    for poll in sorted(found.queue, key=lambda poll: poll.end):
        for task in poll.tasks.values():
            if task.truncated:
                gone.setdefault(task.id, poll)
            elif task.id in gone and gone[task.id].end < poll.begin:
                before = gone[task.id]
                sentence = (
                    f"Task {task.id} had left the queue at {told(before.call)}, and is in it again "
                    f"at {told(poll.call)}."
                )
                yield Wrong("backwards", sentence, (before.call, poll.call))
                return
    for side in found.slaves:
        for poll in found.tasks[side]:
            for number, before in gone.items():
                state = poll.state_of(number)
                if before.end < poll.begin and state != "FINISH":
                    sentence = (
                        f"Task {number} had left the master's queue at {told(before.call)}, but "
                        f"{side} had not finished it: at {told(poll.call)} it is "
                        f"{state or 'not even pulled'} there."
                    )
                    yield Wrong("truncated-early", sentence, (before.call, poll.call))
                    return


def _flags(found: Story, evidence: Evidence) -> Iterator[Wrong]:
    """What a look at the switches says of a database is what somebody set, and at first off."""
    for call in evidence.history.calls():
        if call.invoke.f != "flags" or call.outcome is not OpType.OK or call.completion is None:
            continue
        begin, end = call.invoke.index, call.completion.index
        for database, value in sorted(call.completion.value.items()):
            flag = found.flags.get(database)
            if flag is None or flag.may_be(bool(value), begin, end):
                continue
            settings = [s for s in flag.settings if s.begin < end and s.call is not None]
            last = settings[-1].call if settings else None
            since = "" if last is None else f", though {told(last)} had set it otherwise"
            sentence = (
                f"{told(call, capital=True)} says that {database} is switched "
                f"{'on' if value else 'off'}{since}."
            )
            yield Wrong("flag", sentence, (*(() if last is None else (last,)), call))
            return


def _spelled(task: Task) -> str:
    where = f"{task.database}/{task.table}" if task.table else task.database
    return f"transaction {task.tid}, {task.operation} on {where}, in group {task.group}"


QUEUE = Checker(
    name=NAME,
    question="Is there one task for each transaction that asks for one, in order, long enough?",
    promises=CHECKED,
    judge=judge,
)
