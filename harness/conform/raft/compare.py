"""One step of the Raft core against the model: put the core into a state, step it, explain it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ....impl.raft import ready as core_events
from ....impl.raft.core import Core
from ....impl.raft.messages import Kind
from ....impl.raft.ready import Ready
from ....model.actor import Receive, Step
from ....model.raft_types import Crash, Disk, Member
from .concrete import TOKEN, Guess, abstract, concretize, guesses, report
from .names import ROLES
from .refine import (
    Cause,
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
from .terms import log_of
from .translate import Translation

PROPOSED_MAX = 2
"""So many proposals at once: more are the same step once more."""


class Difference(NamedTuple):
    """Where a step differs; `field` names what of it."""

    field: str
    expected: Any
    found: Any


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
        for writes in range(1, len(s.queue) + 1):
            told = report(s, writes)
            if told is not None:
                yield Input("synced", told, Synced(writes))

    def received(self, receive: Receive) -> Input:
        """The arrival of a message."""
        wire = self.names.gamma(receive.message)
        return Input(f"receive {type(wire).__name__}", core_events.Received(wire), receive)

    def step(self, s: Member, given: Input) -> Iterator[tuple[Guess, Difference | None]]:
        """The core's step from every core that is in this state."""
        for guess in guesses(s, self.names):
            core = concretize(s, self.names, guess, self.bugs)
            back = abstract(core, s.disk, self.names)
            if back != s._replace(queue=()):
                yield guess, Difference("abstract(concretize(state))", s, back)
            else:
                yield guess, self.advance(core, s, given)

    def advance(self, core: Core, s: Member, given: Input) -> Difference | None:
        """Step this core, which is in state `s`; None if the model explains what it did."""
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
        if found == after._replace(queue=()):
            return None
        for field, ours, theirs in zip(Member._fields, after, found, strict=True):
            if ours != theirs and field != "queue":
                return Difference(field, ours, theirs)
        raise AssertionError("two states differ, and no field of them does")

    def state_after(self, s: Member) -> Member:
        """The state in which `advance` from `s` ended."""
        return self._refiners[s.me].state

    def recovered(self, s: Member, crash: Crash, step: Step | None) -> Difference | None:
        """A restart from what a crash left."""
        guess = Guess()
        after = step.state if step is not None else s
        assert isinstance(after, Member)
        core = concretize(_restarted(s, crash.found), self.names, guess, self.bugs)
        found = abstract(core, crash.found, self.names)
        return None if found == after else Difference("recovered", after, found)


def _restarted(s: Member, found: Disk) -> Member:
    n = len(s.match)
    return s._replace(
        term=found.term, vote=found.vote, log=found.log, disk=found, queue=(), commit=0,
        role=ROLES["follower"], votes=(), match=(0,) * n, fresh=False, read=None, rounds=0,
    )  # fmt: skip


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
    )


def _saved(ready: Ready, names: Translation) -> Saved | None:
    hard_state = ready.hard_state
    if hard_state is None and ready.truncate_from is None and not ready.entries:
        return None
    state = None if hard_state is None else (hard_state.term, names.number(hard_state.vote))
    return Saved(state, ready.truncate_from, log_of(entry.term for entry in ready.entries))
