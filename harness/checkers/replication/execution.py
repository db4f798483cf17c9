"""Do slaves execute as they should: in order, quiet while stopped, and exactly what failed again?

Everything is told by the slaves' own status tables, one look after another.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ...evidence import Evidence
from ...language.sides import MASTER, side_of
from ...op import OpType
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from ..timeline import Act
from ..wrong import Wrong, failure
from .fates import DAMAGING, fallen
from .story import Metrics, Poll, Story, Task, ends, story, told

NAME = "replication-execution"
PROMISES: dict[str, tuple[str, ...]] = {
    "group-early": ("PR-4",),
    "finish-changed": ("PR-7", "PR-14"),
    "finish-gone": ("PR-8", "PR-14"),
    "began-while-off": ("PR-10",),
    "pulled-while-off": ("PR-11",),
    "changed-while-off": ("PR-10", "PR-16"),
    "stopped-without-failure": ("PR-9",),
    "failure-without-reason": ("PR-9",),
    "failed-while-enabled": ("PR-9",),
    "stopped-early": ("PR-9",),
    "failures-not-counted": ("PR-9", "PR-27"),
    "skip-not-finished": ("PR-15",),
    "skip-restarts": ("PR-16",),
    "skip-while-enabled": ("PR-16",),
    "report-backwards": ("PR-8", "PR-17"),
    "metrics": ("PR-8",),
    "task-data-lost": ("PR-18", "PR-19"),
}
"""Kind → promises."""

CHECKED = (
    *("PR-4", "PR-7", "PR-8", "PR-9", "PR-10", "PR-11", "PR-14", "PR-15", "PR-16", "PR-17"),
    *("PR-18", "PR-19", "PR-27"),
)

STATES = ("WAITING", "EXECUTING", "FINISH", "FAILED")


def judge(evidence: Evidence) -> Verdict:
    """Judge slave by slave."""
    try:
        found = story(evidence.history)
        wrong = [one for side in found.slaves for one in _of_slave(found, side, evidence)]
        wrong += _reports(evidence)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return undecided(NAME, f"The history cannot be judged: {type(error).__name__}: {error}.")
    polls = sum(len(found.tasks[side]) for side in found.slaves)
    stops = sum(not s.value for side in found.slaves for s in found.runs[side].settings)
    halts = sum(m.status == "STOPPED" for side in found.slaves for m in found.metrics[side])
    details: dict[str, Any] = {"polls": polls, "stops": stops, "seen_stopped": halts}
    if wrong:
        return failure(NAME, wrong, PROMISES, CHECKED, details)
    if not polls:
        return undecided(NAME, "Nobody looked at a slave's tasks.", Validity.INCONCLUSIVE)
    sentence = (
        f"In {plural(polls, 'look')} at the tasks of {plural(len(found.slaves), 'slave')} every "
        "group waited for the one before, and nothing began that must not."
    )
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def _of_slave(found: Story, side: str, evidence: Evidence) -> Iterator[Wrong]:
    polls = _chain(found.tasks[side])
    for poll in polls:
        yield from _groups(poll)
    for before, after in pairwise(polls):
        yield from _finished(before, after)
        if _is_off(found, side, before, after):
            yield from _quiet(found, side, before, after)
    yield from _halted(found, side, polls)
    yield from _too_early(found, side, polls, evidence)
    yield from _skips(found, side, polls)
    yield from _data_lost(found, polls, evidence)
    yield from _agreement(found, side, polls)


def _chain(polls: list[Poll]) -> list[Poll]:
    """Those that follow one another without overlap."""
    kept: list[Poll] = []
    for poll in sorted(polls, key=lambda poll: poll.end):
        if not kept or kept[-1].end < poll.begin:
            kept.append(poll)
    return kept


def _groups(poll: Poll) -> Iterator[Wrong]:
    """Nothing of a group has begun before all of the groups before it have finished."""
    open_one: Task | None = None
    for number in sorted(poll.tasks):
        task = poll.tasks[number]
        if task.state not in STATES:
            raise ValueError(f"task {task.id} is {task.state!r}")
        has_begun = task.state != "WAITING" and not task.is_skipped
        if has_begun and open_one is not None and open_one.group < task.group:
            sentence = (
                f"{told(poll.call, capital=True)} shows task {task.id} of group {task.group} "
                f"{task.state}, while task {open_one.id} of group {open_one.group} is "
                f"{open_one.state}."
            )
            yield Wrong("group-early", sentence, (poll.call,))
            return
        if task.state != "FINISH" and open_one is None:
            open_one = task


def _finished(before: Poll, after: Poll) -> Iterator[Wrong]:
    """FINISH is for ever."""
    for task in before.tasks.values():
        if task.state != "FINISH":
            continue
        now = after.tasks.get(task.id)
        if now is None and not after.tells_of(task.id):
            continue
        what = (task.state, task.finished_ns, task.node)
        if now is None or (now.state, now.finished_ns, now.node) != what:
            state = "gone" if now is None else f"{now.state} on {now.node or 'no node'}"
            again = ", finished at another time" if now and now.state == "FINISH" else ""
            sentence = (
                f"Task {task.id} was finished at {told(before.call)}, and is {state}{again} at "
                f"{told(after.call)}."
            )
            kind = "finish-gone" if now is None else "finish-changed"
            yield Wrong(kind, sentence, (before.call, after.call))
            return


def _is_off(found: Story, side: str, before: Poll, after: Poll) -> bool:
    """Whether the slave certainly did not replicate from one look to the other."""
    if found.runs[side].is_certainly(False, before.begin, after.end):
        return True
    halt = [m for m in found.metrics[side] if m.status != "ENABLED" and m.end < before.begin]
    if not halt:
        return False
    since = max(m.begin for m in halt)
    return not any(
        setting.value and setting.end > since and setting.begin < after.end
        for setting in found.runs[side].settings
    )


def _quiet(found: Story, side: str, before: Poll, after: Poll) -> Iterator[Wrong]:
    """While a slave is off nothing new is pulled or begun, and only skips change tasks."""
    skipped = {
        number
        for call in found.skips[side]
        if call.invoke.index < after.end and ends(call) > before.begin
        for number in call.invoke.value
    }
    for number in sorted(after.tasks):
        task, was = after.tasks[number], before.tasks.get(number)
        if was is None and number > max(before.tasks, default=0):
            sentence = (
                f"{side} was switched off, yet task {number} was pulled between "
                f"{told(before.call)} and {told(after.call)}."
            )
            yield Wrong("pulled-while-off", sentence, (before.call, after.call))
            return
        if was is None or was.state == task.state or was.state == "EXECUTING":
            continue
        if number in skipped and task.state == "FINISH":
            continue
        has_begun = was.state == "WAITING" and task.state in ("EXECUTING", "FINISH")
        kind = "began-while-off" if has_begun else "changed-while-off"
        sentence = (
            f"{side} was switched off, yet task {number} went from {was.state} to {task.state} "
            f"between {told(before.call)} and {told(after.call)}."
        )
        yield Wrong(kind, sentence, (before.call, after.call))
        return


def _halted(found: Story, side: str, polls: list[Poll]) -> Iterator[Wrong]:
    """STOPPED means that a task has FAILED, for a reason; where one has FAILED, it is not on."""
    metrics = sorted(found.metrics[side], key=lambda one: one.begin)
    for poll in polls:
        failed = next((task for task in poll.tasks.values() if task.state == "FAILED"), None)
        if failed is not None and not failed.details:
            sentence = f"{told(poll.call, capital=True)} shows task {failed.id} FAILED without why."
            yield Wrong("failure-without-reason", sentence, (poll.call,))
            return
        before = [m for m in metrics if m.end < poll.begin]
        after = [m for m in metrics if m.begin > poll.end]
        healthy = before and after and before[-1].status == after[0].status == "ENABLED"
        if healthy and failed is not None and not _started(found, side, before[-1], after[0]):
            sentence = (
                f"{told(poll.call, capital=True)} shows task {failed.id} FAILED, yet {side} is "
                "ENABLED before and after, and nobody had started it."
            )
            yield Wrong("failed-while-enabled", sentence, (poll.call, after[0].call))
            return
        halted = before and after and before[-1].status == after[0].status == "STOPPED"
        if halted and failed is None and not _touched(found, side, before[-1], after[0]):
            sentence = (
                f"{side} is STOPPED at {told(before[-1].call)} and {told(after[0].call)}, but "
                f"{told(poll.call)} shows no FAILED task."
            )
            yield Wrong("stopped-without-failure", sentence, (before[-1].call, poll.call))
            return


def _started(found: Story, side: str, one: Metrics, other: Metrics) -> bool:
    return any(
        setting.begin < other.end and setting.end > one.begin
        for setting in found.runs[side].settings
    )


def _touched(found: Story, side: str, one: Metrics, other: Metrics) -> bool:
    """Whether an operator did something that may have ended the failure."""
    return _started(found, side, one, other) or any(
        call.invoke.index < other.end for call in found.skips[side]
    )


def _too_early(found: Story, side: str, polls: list[Poll], evidence: Evidence) -> Iterator[Wrong]:
    """So many failures take as long as the pauses between them."""
    # Whoever begins to lead tries again at once.
    pause_s = 0.0 if found.acts else evidence.facts.get("stops_after_s", 0.0)
    least_ns = int(pause_s * 1e9)
    first: dict[int, int] = {}
    for poll in polls:
        for task in poll.tasks.values():
            if task.state != "FAILED" or task.id in first or task.finished_ns is None:
                continue
            first[task.id] = task.finished_ns
            took_ns = task.finished_ns - task.created_ns
            if took_ns < least_ns:
                sentence = (
                    f"{told(poll.call, capital=True)} shows task {task.id} FAILED "
                    f"{took_ns / 1e9:.3f} s after it was pulled; with the pauses between them, as "
                    f"many failures as it takes last {least_ns / 1e9:.3f} s."
                )
                yield Wrong("stopped-early", sentence, (poll.call,))
                return


def _data_lost(found: Story, polls: list[Poll], evidence: Evidence) -> Iterator[Wrong]:
    """Task data is there as long as its task, unless a crash came before it was on disk."""
    removing = (*DAMAGING, "disk")
    fatal = removing if evidence.facts.get("synced") else (*removing, "kill", "power-cut")
    acts = [act for act in found.acts if act.f in fatal]
    acts += [] if evidence.facts.get("synced") else fallen(found.acts)
    if any(_hits_master(act) for act in acts):
        return
    for poll in polls:
        for task in poll.tasks.values():
            if "missing taskdata" in task.details.lower():
                sentence = (
                    f"{told(poll.call, capital=True)} says of task {task.id}: {task.details}, "
                    "but nothing happened to the master that may take its data."
                )
                yield Wrong("task-data-lost", sentence, (poll.call,))
                return


def _hits_master(act: Act) -> bool:
    return not act.nodes or any(side_of(node) == MASTER for node in act.nodes)


def _skips(found: Story, side: str, polls: list[Poll]) -> Iterator[Wrong]:
    """A skipped task reads as finished from then on; a skip starts nothing."""
    for call in found.skips[side]:
        if call.outcome is not OpType.OK:
            continue
        done, began = ends(call), call.invoke.index
        for poll in (poll for poll in polls if poll.begin > done):
            for number in call.invoke.value:
                task = poll.tasks.get(number)
                if task is not None and task.state != "FINISH":
                    sentence = (
                        f"{told(call, capital=True)} skipped task {number}, which is "
                        f"{task.state} at {told(poll.call)}."
                    )
                    yield Wrong("skip-not-finished", sentence, (call, poll.call))
                    return
        metrics = found.metrics[side]
        around = [m for m in metrics if m.end < began or m.begin > done]
        before = [m for m in around if m.end < began]
        after = [m for m in around if m.begin > done]
        if not before or not after or _started(found, side, before[-1], after[0]):
            continue
        if before[-1].status != "ENABLED" and after[0].status == "ENABLED":
            sentence = (
                f"{side} was {before[-1].status} before {told(call)} and is ENABLED after it, "
                "though nobody had started it."
            )
            yield Wrong("skip-restarts", sentence, (call, after[0].call))
            return
        if before[-1].status == after[0].status == "ENABLED":
            sentence = f"{told(call, capital=True)} was accepted while {side} was ENABLED."
            yield Wrong("skip-while-enabled", sentence, (call, after[0].call))
            return


def _agreement(found: Story, side: str, polls: list[Poll]) -> Iterator[Wrong]:
    """Once all is quiet, the row of metrics counts what the table shows."""
    settled = found.settled
    if settled is None:
        return
    table = next((poll for poll in reversed(polls) if poll.begin > settled), None)
    row = next((m for m in reversed(found.metrics[side]) if m.begin > settled), None)
    before = next((poll for poll in reversed(polls) if poll.end < settled), None)
    if table is None or row is None or before is None or table.tasks.keys() != before.tasks.keys():
        return  # a transaction of open outcome may become a task at the very end
    unfinished = sum(task.state != "FINISH" for task in table.tasks.values())
    if row.unfinished != unfinished:
        sentence = (
            f"{told(row.call, capital=True)} counts {row.unfinished:,} unfinished tasks of {side}, "
            f"where {told(table.call)} shows {unfinished:,}."
        )
        yield Wrong("metrics", sentence, (table.call, row.call))


def _reports(evidence: Evidence) -> Iterator[Wrong]:
    """What a slave told the master that it has finished never falls back."""
    last: dict[str, tuple[int, Any]] = {}
    for call in evidence.history.calls():
        if call.invoke.f != "slaves" or call.outcome is not OpType.OK or call.completion is None:
            continue
        for row in call.completion.value:
            name, finished = str(row["slave"]), int(row["finished"])
            known = last.get(name)
            if known is not None and known[1].completion.index > call.invoke.index:
                continue
            if known is not None and finished < known[0]:
                sentence = (
                    f"{told(call, capital=True)} says that slave {name} has finished task "
                    f"{finished}, after {told(known[1])} had said {known[0]}."
                )
                yield Wrong("report-backwards", sentence, (known[1], call))
                return
            last[name] = (finished, call)


EXECUTION = Checker(
    name=NAME,
    question="Did slaves execute group by group, nothing while off, and what failed once more?",
    promises=CHECKED,
    judge=judge,
)
