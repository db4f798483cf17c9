"""What a scenario may ask a least number of (`minimum:`), and how traces are counted for it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..traces import AppendResponse, Boot, Message, Received, Record, Stop, Trace, VoteResponse
from .sides import side_of

Traces = Mapping[str, Trace]


@dataclass(frozen=True, slots=True)
class Dose:
    """Something that a run has so much of. `of`: what is counted, for people."""

    name: str
    of: str
    count: Callable[[Traces], int]


def _all(traces: Traces) -> Iterator[Record]:
    for _, trace in sorted(traces.items()):
        yield from trace.records


def _elections(traces: Traces) -> int:
    """Terms of two clusters are not the same ones."""
    return len(
        {
            (side_of(alias), record.post.term)
            for alias, trace in traces.items()
            for record in trace.records
            if record.post.role == "leader"
        }
    )


def _changes(traces: Traces, before: str, after: str) -> int:
    """Steps from one role into another, within a process's life."""
    found = 0
    for trace in traces.values():
        role = ""
        for record in trace.records:
            if isinstance(record.event, Boot):
                role = ""
            now = record.post.role
            found += (role, now) == (before, after)
            role = now
    return found


def _candidacies(traces: Traces) -> int:
    return _changes(traces, "precandidate", "candidate")


def _step_downs(traces: Traces) -> int:
    return _changes(traces, "leader", "follower")


def _truncations(traces: Traces) -> int:
    return sum(r.persist.truncate_from is not None for r in _all(traces))


def _checkpoints(traces: Traces) -> int:
    return sum(r.persist.base is not None and not r.persist.installs for r in _all(traces))


def _snapshots(traces: Traces) -> int:
    return sum(r.persist.installs for r in _all(traces))


def _committed(traces: Traces) -> int:
    return max((r.post.commit for r in _all(traces)), default=0)


def _crashes(traces: Traces) -> int:
    """A process without `stop` at its end, and another after it."""
    found = 0
    for trace in traces.values():
        was_running = False
        for record in trace.records:
            # A process begins with one `boot` a group; the first has the number 0.
            found += isinstance(record.event, Boot) and record.seq == 0 and was_running
            was_running = not isinstance(record.event, Stop)
    return found


def _reads(traces: Traces) -> int:
    return sum(len(record.answered) for record in _all(traces))


def _arrived(traces: Traces) -> Iterator[Message]:
    return (r.event.message for r in _all(traces) if isinstance(r.event, Received))


def _votes_that_say(traces: Traces, *, granted: bool) -> int:
    """Answers to votes that arrived; to pre-votes none count."""
    votes = (m.fields for m in _arrived(traces) if isinstance(m, VoteResponse))
    return sum(fields.granted is granted and not fields.pre for fields in votes)


def _votes(traces: Traces) -> int:
    return _votes_that_say(traces, granted=True)


def _refused_votes(traces: Traces) -> int:
    return _votes_that_say(traces, granted=False)


def _refused_appends(traces: Traces) -> int:
    answers = (m.fields for m in _arrived(traces) if isinstance(m, AppendResponse))
    return sum(not fields.success for fields in answers)


DOSES: dict[str, Dose] = {
    dose.name: dose
    for dose in (
        Dose("elections", "terms in which a member led", _elections),
        Dose("candidacies", "times that a member asked for votes", _candidacies),
        Dose("step downs", "times that a leader gave up without being ended", _step_downs),
        Dose("votes granted", "votes that reached who had asked for them", _votes),
        Dose("votes refused", "refusals of votes that reached who had asked", _refused_votes),
        Dose("appends refused", "refusals of entries that reached the leader", _refused_appends),
        Dose("truncations", "times that a member cut entries off its log", _truncations),
        Dose("checkpoints", "times that a member cut its log at the beginning", _checkpoints),
        Dose("snapshots installed", "snapshots that replaced a member's tables", _snapshots),
        Dose("entries committed", "the highest commit index", _committed),
        Dose("crashes", "restarts of members that had not ended cleanly", _crashes),
        Dose("reads confirmed", "reads that a leader confirmed with a majority", _reads),
    )
}  # fmt: skip
"""The whole vocabulary."""
