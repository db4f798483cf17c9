"""One step of the Raft core against the model: put the core into a state, step it, explain it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ....impl.raft import ready as core_events
from ....impl.raft.core import Core
from ....impl.raft.messages import Kind
from ....impl.raft.ready import Ready
from ....model.actor import Receive, Step
from ....model.raft_types import Crash, Member
from .concrete import TOKEN, abstract, common, concretize, guesses, recovered, report
from .names import ROLES
from .outputs import Before, unlike
from .refine import (
    Cause,
    Compacted,
    Did,
    Diverged,
    Post,
    Proposed,
    ReadsAsked,
    Refiner,
    Saved,
    Synced,
    Timer,
)
from .terms import log_of, log_of_runs
from .translate import Translation

PROPOSED_MAX = 2
"""So many proposals at once: more are the same step once more."""


class Difference(NamedTuple):
    """Where a step differs; `field` names what of it."""

    field: str
    expected: Any
    found: Any


class Found(NamedTuple):
    """What came of one pair: from how many cores, and the first difference, with its guess."""

    cores: int
    difference: Difference | None = None
    guess: str = ""


class Input(NamedTuple):
    """An event of the core, and what it is in the model's words."""

    name: str
    event: core_events.Event
    cause: Cause


TIMERS = tuple(
    Input(f"timer {timer}", core_events.TimerFired(timer), Timer(timer.value))
    for timer in core_events.Timer
)


class Comparison:
    """Compares steps of cores in a group of this size."""

    def __init__(self, members: int, bugs: frozenset[str] = frozenset()) -> None:
        self.names = Translation([f"n{i + 1}" for i in range(members)])
        self.bugs = bugs
        self._refiners = [Refiner(members, node) for node in range(members)]

    def own_inputs(self, s: Member) -> Iterator[Input]:
        """Everything but messages and syncs that may happen to a core, whatever its state."""
        yield from TIMERS
        for count in range(1, PROPOSED_MAX + 1):
            payloads = tuple((Kind.APPEND, b"proposed") for _ in range(count))
            yield Input(f"proposed {count}", core_events.Proposed(payloads), Proposed(count))
        yield Input("read", core_events.ReadRequested((TOKEN + 2,)), ReadsAsked())
        for at in range(s.snap + 1, min(s.commit, common(s.disk.log, s.log)) + 1):
            yield Input("compacted", core_events.Compacted(at), Compacted(at))
        for writes in range(1, len(s.queue) + 1):
            told = report(s, writes)
            if told is not None:
                yield Input("synced", told, Synced(writes))

    def received(self, receive: Receive) -> Input:
        """The arrival of a message."""
        wire = self.names.gamma(receive.message)
        return Input(f"receive {type(wire).__name__}", core_events.Received(wire), receive)

    def step(self, s: Member, given: Input) -> Found:
        """The core's step from every core that is in this state."""
        cores = 0
        for guess in guesses(s, self.names):
            core = concretize(s, self.names, guess, self.bugs)
            cores += 1
            back = abstract(core, s.disk, self.names)
            difference = (
                Difference("abstract(concretize(state))", s, back)
                if back != s._replace(queue=())
                else self.advance(core, s, given)
            )
            if difference is not None:
                return Found(cores, difference, str(guess))
        return Found(cores)

    def advance(self, core: Core, s: Member, given: Input) -> Difference | None:
        """Step this core, which is in state `s`; None if the model explains what it did."""
        before = Before.of(core)
        try:
            ready = core.step(given.event)
        except AssertionError as error:
            return Difference("assertion", "a step", f"the core refuses: {error}")
        refiner = self._refiners[s.me]
        refiner.put(s)
        try:
            explained = refiner.step(did(core, ready, given.cause, self.names))
        except Diverged as diverged:
            return Difference(diverged.field, diverged.expected, diverged.found)
        after = explained.state
        found = abstract(core, after.disk, self.names)
        durable = common(after.disk.log, after.log)
        if core.durable > durable:
            return Difference("durable", durable, core.durable)
        if found == after._replace(queue=()):
            said = unlike(before, core, given.event, ready, s, after)
            return None if said is None else Difference(*said)
        for field, ours, theirs in zip(Member._fields, after, found, strict=True):
            if ours != theirs and field != "queue":
                return Difference(field, ours, theirs)
        raise AssertionError("two states differ, and no field of them does")

    def recovered(self, s: Member, crash: Crash, step: Step | None) -> Found:
        """A restart from what a crash left."""
        after = step.state if step is not None else s
        assert isinstance(after, Member)
        disk = crash.found
        core = recovered(disk, self.names.member(s.me), self.names, self.bugs)
        found = abstract(core, disk, self.names)
        return Found(1, None if found == after else Difference("recovered", after, found))


def did(core: Core, ready: Ready, cause: Cause, names: Translation) -> Did:
    """What the core did, in the model's words."""
    answers = tuple(dict.fromkeys(index for _, index in ready.reads))
    log = core.log
    return Did(
        cause,
        tuple(names.beta(m) for m in ready.messages),
        tuple(names.beta(m) for m in ready.after_persist),
        _saved(ready, names),
        Post(
            core.term,
            names.number(core.vote),
            ROLES[core.role],
            core.commit,
            log.last_index,
            log.last_term,
        ),
        answers,
        None if ready.lost is None else names.number(ready.lost.member),
    )


def _saved(ready: Ready, names: Translation) -> Saved | None:
    hard_state = ready.hard_state
    if not ready.writes:
        return None
    state = None if hard_state is None else (hard_state.term, names.number(hard_state.vote))
    entries = log_of(entry.term for entry in ready.entries)
    base = None if ready.base is None else log_of_runs(ready.base)
    return Saved(state, ready.truncate_from, entries, base, ready.installs)
