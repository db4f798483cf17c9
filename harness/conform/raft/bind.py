"""The binding of the Raft core: every pair that exploring `raft-built` reaches, and replays."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ....impl.bugs import BUGS
from ....impl.raft import ready as core_events
from ....impl.raft.core import Core
from ....impl.raft.messages import Kind
from ....model.actor import Receive
from ....model.explore.limits import Limits
from ....model.explore.pairs import Pairs, explore_pairs, walk_pairs
from ....model.raft_built import DIFFERENCES, built_group
from ....model.raft_group import event_name
from ....model.raft_types import Ask, Compact, Crash, Fsync, Member, Options, Own, TakeBack
from ..binding import Bounds, Conformance, Difference, Divergence
from .compare import Comparison, Found
from .concrete import TOKEN, abstract, recovered, report
from .translate import Translation

ELECTION_DEPTH = 18
"""Steps in which one of four members is elected, and an answer comes twice."""


SMALL = (
    Bounds.of(
        "two members, all of an election and an entry", members=2, terms=2, entries=1, batch=2,
    ),
    Bounds.of("two elections", members=2, terms=3, entries=0, depth=22),
    Bounds.of("four members elect", members=4, terms=2, entries=0, depth=14),
    Bounds.of("three members, beyond", members=3, terms=3, entries=0, unsynced=2, walk=100_000),
    Bounds.of(
        "far beyond", members=3, terms=4, entries=2, batch=2, reads=2, crashes=2, unsynced=3,
        walk=40_000,
    ),
    Bounds.of(
        "snapshots", members=3, terms=3, entries=2, batch=2, crashes=1, checkpoints=2, unsynced=2,
        walk=30_000,
    ),
    Bounds.of(
        "a disk loses the end of its log",
        members=2, terms=2, entries=1, batch=2, losses=1, doubts=2, walk=40_000,
    ),
)  # fmt: skip

DOCUMENTED = (
    Bounds.of(
        "two members: an election, an entry, a read, a crash",
        members=2, terms=2, entries=1, batch=2, reads=1, crashes=1,
    ),
    Bounds.of(
        "two members whose disks lag by two writes",
        members=2, terms=2, entries=1, batch=2, unsynced=2,
    ),
    Bounds.of("two elections", members=2, terms=3, entries=0, batch=2, reads=1, depth=26),
    Bounds.of("three members", members=3, terms=2, entries=0, depth=20),
    Bounds.of("four members elect", members=4, terms=2, entries=0, depth=ELECTION_DEPTH),
    Bounds.of("three members, beyond", members=3, terms=3, entries=0, unsynced=2, walk=600_000),
    Bounds.of(
        "far beyond", members=3, terms=4, entries=2, batch=2, reads=2, crashes=2, unsynced=3,
        walk=700_000,
    ),
    Bounds.of(
        "snapshots", members=3, terms=3, entries=2, batch=2, crashes=2, checkpoints=2, unsynced=2,
        walk=400_000,
    ),
    Bounds.of(
        "disks lose the ends of their logs",
        members=3, terms=2, entries=2, batch=2, reads=1, losses=2, doubts=4, unsynced=2,
        walk=150_000,
    ),
    Bounds.of(
        "five members", members=5, terms=4, entries=1, batch=2, reads=1, crashes=1, unsynced=2,
        walk=250_000,
    ),
)  # fmt: skip

BLIND: dict[str, str] = {
    "aborted-read": "what a leader that steps down tells its clients is not the core's affair",
    "ack-before-fsync": "the core asks for the disk as it should; its driver does not wait (wal)",
    "folder-not-synced": "it is in the log's files (wal)",
    "truncate-off-by-one": "it is in the log's files (wal)",
    "damage-is-torn": "it is in reading the log's files, and those of the binding are whole (wal)",
    "starts-empty": "it is where a node is started",
    "cache-survives-cut": "what is decoded ahead of its commit is not the core's affair (wal)",
    "batch-leaves-gap": "the entries of the model all fit into one request",
    "snapshot-keeps-conflict": "walks do not meet it: snapshots over logs that contradict them",
    "applied-apart": "the core is told how far a checkpoint goes; it cannot know better",
    "checkpoint-before-sync": "the core is told that the tables are durable; it cannot know better",
    "snapshot-off-by-one": "which entries are applied is not the core's affair",
    "drop-keeps-table": "what entries do to tables is not the core's affair",
    "batch-in-parts": "what entries do to tables is not the core's affair",
    "publish-written": "what subscribers are sent is not the core's affair",
    "subscriptions-survive": "subscriptions are not the core's affair",
    "record-on-receipt": "it is in the subscriber",
    "resume-as-asked": "it is in the subscriber",
    "failure-passed": "it is in the subscriber",
    "no-rollback": "it is in the data files (wal)",
    "redo-equal-lsn": "it is in the data files (wal)",
    "ages-forgotten": "how long data files are kept is not the core's affair",
    "poll-uncommitted": "what members tell pollers is not the core's affair",
    "names-itself": "what members tell clients is not the core's affair",
    "retries-forgotten": "the core does not look into rows (keyed)",
    "pending-keys-unknown": "the core does not look into rows (keyed)",
}
"""Seeded bugs that are not in the core, and where they are; or why the core does not show them."""


@dataclass(frozen=True)
class RaftBinding:
    """`impl/raft/core.py` against `model/raft_built.py`."""

    name: str = "raft"
    title: str = "the Raft core (impl/raft/core.py) against model/raft_built.py"
    small: Sequence[Bounds] = SMALL
    documented: Sequence[Bounds] = DOCUMENTED
    bugs: frozenset[str] = frozenset(BUGS) - frozenset(BLIND)

    @property
    def differences(self) -> Sequence[Difference]:
        """Where the model as built differs from the plain one."""
        return [Difference(d.name, d.reason) for d in DIFFERENCES]

    def conform(
        self,
        bounds: Bounds,
        *,
        bugs: frozenset[str] = frozenset(),
        first: bool = False,
        workers: int = 1,
    ) -> Conformance:
        """Compare every pair within the bounds; `first` ends at the first divergence."""
        began = time.perf_counter()
        pairs = reached(bounds, workers)
        result = Conformance(self.name, bounds, pairs.explored, len(pairs.states))
        comparison = Comparison(dict(bounds.options)["members"], bugs)
        for state, name, event, found in _compared(pairs, comparison):
            result.pairs[name] += 1
            result.cores += found.cores
            if found.difference is not None:
                field, expected, was = found.difference
                result.diverge(
                    Divergence(
                        state,
                        name,
                        field,
                        expected,
                        was,
                        tuple(pairs.path(state.me, state)),
                        found.guess,
                        event,
                    )
                )
                if first:
                    break
        else:
            _replay(pairs, comparison.names, result)
        result.seconds = time.perf_counter() - began
        return result


def reached(bounds: Bounds, workers: int) -> Pairs:
    """The model's pairs within the bounds."""
    chosen: dict[str, Any] = dict(bounds.options)
    around: dict[str, Any] = {
        name: chosen.pop(name)
        for name in ("unsynced", "crashes", "losses", "doubts")
        if name in chosen
    }
    model = built_group(Options(**chosen), **around)
    if bounds.walk is not None:
        return walk_pairs(model, steps=bounds.walk)
    limits = Limits(depth=bounds.depth)
    return explore_pairs(model, workers=workers, symmetry=True, limits=limits)


def _compared(pairs: Pairs, comparison: Comparison) -> Iterator[tuple[Member, str, object, Found]]:
    for _, state in pairs.states:
        for given in comparison.own_inputs(state):
            yield state, given.name, given.cause, comparison.step(state, given)
    for _, state, event, step in pairs.found:
        if isinstance(event, Receive):
            given = comparison.received(event)
            yield state, event_name(event), event.message, comparison.step(state, given)
        elif isinstance(event, Crash):
            yield state, "crash", event.found, comparison.recovered(state, event, step)


# Replays: that a state is reachable in the implementation, too.


def _replay(pairs: Pairs, names: Translation, result: Conformance) -> None:
    """Reach every state by the core's own steps along a shortest path."""
    for _, state in pairs.states:
        path = pairs.path(state.me, state)
        try:
            core, before = _replayed(pairs, names, state.me, path)
        except AssertionError as error:
            told = f"the core refuses: {error}"
            result.diverge(Divergence(state, "replay", "assertion", "a step", told, tuple(path)))
            continue
        found = abstract(core, state.disk, names)
        assert before == state
        if found == state._replace(queue=()):
            result.replayed += 1
        else:
            result.diverge(Divergence(state, "replay", "state", state, found, tuple(path)))


def _replayed(pairs: Pairs, names: Translation, me: int, path: list[object]) -> tuple[Core, Member]:
    actor = pairs.model.actors[me]
    state = actor.initial(me)
    assert isinstance(state, Member)
    core = recovered(state.disk, names.member(me), names)
    for event in path:
        step = pairs.model.step(me, state, event)
        assert step is not None
        if isinstance(event, Crash):
            core = recovered(event.found, names.member(me), names)
        elif isinstance(event, Ask | TakeBack):
            _doubt(core, event, names)
        else:
            given = _input(state, event, names)
            for progress in core.progress.values():
                # It has not sent all that the model's network holds: answers to that prove nothing.
                progress.doubt = None
            if given is not None:
                core.step(given)
        after = step.state
        assert isinstance(after, Member)
        state = after
    return core, state


def _doubt(core: Core, event: Ask | TakeBack, names: Translation) -> None:
    """What brings a leader to that is on no path: the model lets it happen for any reason."""
    assert core.leading is not None
    if isinstance(event, Ask):
        core.leading.reads.skip()
    else:
        core.progress[names.member(event.peer)].lost(0)


def _input(state: Member, event: object, names: Translation) -> core_events.Event | None:
    """The core's event that is the model's; None for what only the driver sees."""
    match event:
        case Receive(message):
            return core_events.Received(names.gamma(message))
        case Fsync(writes):
            return report(state, writes)
        case Compact(at):
            return core_events.Compacted(at)
        case Own.REQUEST:
            return core_events.Proposed(((Kind.APPEND, b"proposed"),))
        case Own.READ:
            return core_events.ReadRequested((TOKEN,))
        case Own.TIMEOUT:
            return core_events.TimerFired(core_events.Timer.ELECTION)
        case Own.LAPSE:
            return core_events.TimerFired(core_events.Timer.LEASE)
        case Own.QUORUM:
            return core_events.TimerFired(core_events.Timer.QUORUM)
    raise AssertionError(f"{event} is no event of a member as it is built")
