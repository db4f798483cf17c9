"""Did everything arrive once all was well again, and did no slave wait for another?"""

from collections.abc import Iterator
from typing import Any, TypeVar

from ...evidence import Evidence
from ...history import Call
from ...language.sides import MASTER, side_of
from ...op import HARNESS, Op, OpType
from ...prose import plural
from ...verdict import Validity, Verdict
from ..checker import Checker, undecided
from ..timeline import UNDOES, phase
from ..wrong import Wrong, failure
from .story import Metrics, Poll, Story, Task, story, told

NAME = "replication-recovery"
PROMISES: dict[str, tuple[str, ...]] = {
    "not-arrived": ("PR-26",),
    "not-pulled": ("PR-26", "PR-31"),
    "not-after-start": ("PR-26", "PR-29"),
    "still-stopped": ("PR-27", "PR-28"),
    "not-truncated": ("PR-30",),
    "held-up": ("PR-25",),
    "no-answer": ("PR-26",),
}
"""Kind → promises."""

CHECKED = ("PR-25", "PR-26", "PR-28", "PR-29", "PR-30", "PR-31")

HELD_UP_NS = 15_000_000_000
"""For so long a slave may stand still while there is something to do, where nothing is broken."""


def judge(evidence: Evidence) -> Verdict:
    """Look at the end, and at slaves beside one that stood still."""
    history = evidence.history
    try:
        found = story(history)
        wrong = [*_end(found, evidence), *_held_up(found)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return undecided(NAME, f"The history cannot be judged: {type(error).__name__}: {error}.")
    heal = phase(history, "heal")
    done = next((op for op in history.of(HARNESS) if op.f == "settled"), None)
    details: dict[str, Any] = {}
    if heal is not None and done is not None:
        details["settled_s"] = round((done.time_ns - heal.time_ns) / 1e9, 3)
    if wrong:
        return failure(NAME, wrong, PROMISES, CHECKED, details)
    if done is None or not found.slaves:
        return undecided(NAME, "The run did not come to its end.", Validity.INCONCLUSIVE)
    if done.value is not True:
        return undecided(
            NAME,
            "Nothing was missing when the time was over, but nobody saw everything arrived at "
            "once: what came late is unknown.",
        )
    sentence = (
        f"Everything had arrived at {plural(len(found.slaves), 'slave')} "
        f"{details.get('settled_s', 0):.1f} s after the heal."
    )
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def _end(found: Story, evidence: Evidence) -> list[Wrong]:
    """What was still missing when the time was over, or had not left the queue."""
    said = next((op for op in evidence.history.of(HARNESS) if op.f == "settled"), None)
    if said is None:
        return []
    if said.value is True:
        return list(_not_truncated(found, said))
    heal = phase(evidence.history, "heal")
    since = -1 if heal is None else heal.index
    calls = [c for c in evidence.history.calls() if since < c.invoke.index < said.index]
    wrong = list(_unsettled(found, calls, since, said)) or list(_not_truncated(found, said))
    return wrong or list(_restless(found, calls, since, said))


def _unsettled(found: Story, calls: list[Call], since: int, said: Op) -> Iterator[Wrong]:
    """What was still missing; `calls` are those since the heal."""
    queue = _latest(found.queue, since, said)
    if queue is None:
        text = "When the time was over nobody had told what there was to do"
        yield from _silent(text, calls, ("start", "grant", "queue"))
        return
    for side in found.slaves:
        table = _latest(found.tasks[side], since, said)
        if table is None:
            text = f"When the time was over, {side} had not told what it has to do"
            yield from _silent(text, calls, ("tasks",), side)
            continue
        failed = next((t for t in table.tasks.values() if t.state == "FAILED"), None)
        rest = [t for t in table.tasks.values() if t.state != "FINISH"]
        behind = [t for number, t in sorted(queue.tasks.items()) if not table.state_of(number)]
        if failed is not None:
            sentence = (
                f"When the time was over {side} was still stopped at task {failed.id} "
                f"({failed.operation} on {failed.database}): {failed.details}"
            ).removesuffix(".")
            yield Wrong("still-stopped", f"{sentence}.", (table.call,))
        elif rest:
            first = min(rest, key=lambda task: task.id)
            yield Wrong(_kind(found, side, "not-arrived"), _left(side, first, rest), (table.call,))
        elif behind:
            sentence = (
                f"When the time was over {side} had not pulled task {behind[0].id} nor "
                f"{plural(len(behind) - 1, 'task')} after it, which {told(queue.call)} shows."
            )
            yield Wrong(_kind(found, side, "not-pulled"), sentence, (queue.call, table.call))


def _left(side: str, first: Task, rest: list[Task]) -> str:
    more = f", nor {plural(len(rest) - 1, 'other task')}" if len(rest) > 1 else ""
    return (
        f"When the time was over {side} had not finished task {first.id} ({first.operation} on "
        f"{first.database}, {first.state}){more}."
    )


def _kind(found: Story, side: str, kind: str) -> str:
    """By what happened before: a slave that was stopped and started, a master that failed over."""
    if any(not setting.value for setting in found.runs[side].settings):
        return "not-after-start"
    return kind


def _restless(found: Story, calls: list[Call], since: int, said: Op) -> Iterator[Wrong]:
    """Slaves that lack nothing, and whose state was not seen to be right."""
    for side in found.slaves:
        state = _latest(found.metrics[side], since, said)
        if state is None:
            text = f"When the time was over, {side} had told nothing of its state"
            yield from _silent(text, calls, ("metrics",), side)
        elif state.status == "STOPPED":
            settings = found.runs[side].settings
            if any(s.value and since < s.begin and s.end < state.begin for s in settings):
                sentence = (
                    f"When the time was over {side} was still STOPPED although it had been started "
                    f"and had nothing left to do, which {told(state.call)} shows."
                )
                yield Wrong("still-stopped", sentence, (state.call,))
            else:
                text = f"When the time was over {side} was STOPPED, and nobody could start it"
                yield from _silent(text, calls, ("start",), side)


def _silent(
    text: str, calls: list[Call], functions: tuple[str, ...], side: str | None = None
) -> Iterator[Wrong]:
    """Nothing was told, and the last call that asked (of any side: None) did not go well.

    Whoever was not asked at all has left nothing unanswered.
    """
    asked = [c for c in calls if c.invoke.f in functions and side in (None, c.invoke.key)]
    last = next((call for call in reversed(asked) if call.outcome is not OpType.OK), None)
    if last is not None:
        yield Wrong("no-answer", f"{text}: {told(last)} did not go well.", (last,))


P = TypeVar("P", Poll, Metrics)


def _latest(polls: list[P], since: int, said: Op) -> P | None:
    between = (p for p in polls if since < p.begin < said.index)
    return max(between, key=lambda p: p.begin, default=None)


def _not_truncated(found: Story, said: Op) -> Iterator[Wrong]:
    """What every slave has finished has left the queue.

    A transaction of open outcome may become a task at the very end: what came later does not count.
    """
    before = _latest(found.queue, -1, said)
    last = max(found.queue, key=lambda poll: poll.begin, default=None)
    if before is None or last is None:
        return
    left = [n for n in before.tasks if n in last.tasks and not last.tasks[n].truncated]
    if left:
        sentence = (
            f"All slaves had finished everything, yet task {min(left)} is still in the queue at "
            f"{told(last.call)}."
        )
        yield Wrong("not-truncated", sentence, (last.call,))


def _held_up(found: Story) -> Iterator[Wrong]:
    """While one slave stands still, the others go on."""
    for still in found.slaves:
        for since, until in (*_switched_off(found, still), *_struck(found, still)):
            for side in found.slaves:
                if side != still:
                    yield from _stood_still(found, still, side, since, until)


def _switched_off(found: Story, side: str) -> Iterator[tuple[int, int]]:
    """From when to when somebody had stopped it."""
    settings = found.runs[side].settings
    for stop in (s for s in settings if not s.value):
        yield (
            stop.end,
            min((s.begin for s in settings if s.value and s.begin > stop.end), default=found.final),
        )


def _struck(found: Story, side: str) -> Iterator[tuple[int, int]]:
    """From when to when a fault hit it and nobody else."""
    for at, act in enumerate(found.acts):
        hits = {side_of(node) for node in act.nodes}
        if act.f in ("partition", "kill", "pause") and hits == {side} and act.receipt is not None:
            over = (a for a in found.acts[at + 1 :] if act.f in UNDOES.get(a.f, ()))
            yield act.receipt.index, min((a.asked.index for a in over), default=found.final)


def _stood_still(found: Story, still: str, side: str, since: int, until: int) -> Iterator[Wrong]:
    """A slave that was on, and near which nothing was broken, finishes what was queued in time."""
    polls = [p for p in found.tasks[side] if since < p.begin and p.end < until]
    if not polls or not found.runs[side].is_certainly(True, since, until):
        return
    last = polls[-1]
    asked_ns = last.call.invoke.time_ns
    queues = [
        q for q in found.queue if since < q.begin and q.call.invoke.time_ns + HELD_UP_NS < asked_ns
    ]
    healthy = all(m.status == "ENABLED" for m in found.metrics[side] if since < m.end < until)
    if not queues or not healthy or _is_broken(found, side, last):
        return
    queue = queues[-1]
    late = [number for number in queue.tasks if last.state_of(number) != "FINISH"]
    if late:
        span_s = (asked_ns - queue.call.invoke.time_ns) / 1e9
        sentence = (
            f"{still} was switched off or broken, and {side} stood still with it: task "
            f"{min(late)} was in the queue at {told(queue.call)}, and not finished "
            f"{span_s:.1f} s later at {told(last.call)}."
        )
        yield Wrong("held-up", sentence, (queue.call, last.call))


def _is_broken(found: Story, side: str, last: Poll) -> bool:
    """Whether anything was done to the master or this slave until then."""
    return any(
        act.asked.index < last.end
        and (not act.nodes or any(side_of(node) in (side, MASTER) for node in act.nodes))
        for act in found.acts
    )


RECOVERY = Checker(
    name=NAME,
    question="After the heal: has everything arrived, in time, and did no slave hold up another?",
    promises=CHECKED,
    judge=judge,
)
