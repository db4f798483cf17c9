"""Local steps that a run made: by them schedules are told apart that led somewhere new."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...model.raft_types import Member
from ..traces import Boot, Record, Trace
from .raft.local import local_step, told
from .raft.refine import Explained
from .trace.coverage import Counting, Coverage
from .trace.finding import Rejected
from .trace.promises import Promises
from .trace.replay import Replay
from .trace.wire import Wire
from .trace.words import Words


class Measured(NamedTuple):
    """What a run made of the model: kinds of steps with their number, and local steps in words."""

    kinds: Coverage
    local_steps: frozenset[str]


class _Noting(Counting):
    """Counts, and notes where the member stood."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[object, ...]] = set()

    def add(self, before: Member, explained: Explained) -> None:
        super().add(before, explained)
        for event, step in explained.steps:
            self.found.add(local_step(before, event))
            assert isinstance(step.state, Member)
            before = step.state


def measured(members: Sequence[str], traces: Mapping[str, bytes]) -> Measured:
    """What members' traces (trace.jsonl) tell, of each as far as the model explains it."""
    noting, promises = _Noting(), Promises()
    for node, data in traces.items():
        groups: dict[int, tuple[Replay, Words]] = {}
        for record in Trace(data).records:
            if record.group not in groups:
                of_group = record.event.members if isinstance(record.event, Boot) else ()
                words = Words(of_group or members)
                replay = Replay(words, node, Wire(), promises, noting)
                groups[record.group] = (replay, words)
            if not _explained(*groups[record.group], record):
                break
    return Measured(noting.coverage(), frozenset(map(told, noting.found)))


def _explained(replay: Replay, words: Words, record: Record) -> bool:
    """Make the member's next step in the model, if it is one: else trace validation says so."""
    try:
        if isinstance(record.event, Boot):
            replay.boot(record, words.disk(record))
        else:
            replay.follow(record)
    except Rejected:
        return False
    return True
