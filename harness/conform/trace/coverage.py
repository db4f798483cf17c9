"""Which of the model's steps a run made: events by name, and what they did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....model.actor import Receive, Step
from ....model.raft_group import event_name
from ....model.raft_types import Event, Member, Own
from ..raft.refine import Explained


@dataclass(frozen=True)
class Coverage:
    """`events`: how often, by the model's name. `branches`: the same by (event, what it did)."""

    events: Mapping[str, int] = field(default_factory=dict)
    branches: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As a verdict's details have it: JSON, sorted."""
        return {
            "events": dict(sorted(self.events.items())),
            "branches": [[*names, n] for names, n in sorted(self.branches.items())],
        }


_Key = tuple[Any, ...]


class Counting:
    """Counts steps as they are explained: cheaply, for there are millions."""

    def __init__(self) -> None:
        self._counts: dict[_Key, list[int]] = {}
        """One number each: a key is hashed once to count it."""
        self._samples: dict[_Key, Event] = {}

    def add(self, before: Member, explained: Explained) -> None:
        """Count the steps that explain one of the implementation."""
        for event, step in explained.steps:
            after = step.state
            assert isinstance(after, Member)
            key = _key(before, event, step, after)
            count = self._counts.get(key)
            if count is None:
                self._counts[key] = [1]
                self._samples[key] = event
            else:
                count[0] += 1
            before = after

    def coverage(self) -> Coverage:
        """What was counted so far."""
        events: Counter[str] = Counter()
        branches: Counter[tuple[str, str]] = Counter()
        for key, (count,) in self._counts.items():
            name = event_name(self._samples[key])
            events[name] += count
            branches[name, _branch(key)] += count
        return Coverage(dict(events), dict(branches))


def _key(before: Member, event: Event, step: Step, after: Member) -> _Key:
    # Words for enums, whose hashes are not remembered; `value` would be looked up at length.
    if isinstance(event, Receive):
        m = event.message
        kind: Any = (
            type(m),
            getattr(m, "success", None),
            getattr(m, "granted", None),
            bool(getattr(m, "entries", ())),
        )
    else:
        kind = event._value_ if isinstance(event, Own) else type(event)
    return (
        kind,
        before.role._value_,
        after.role._value_,
        after.term > before.term,
        after.vote != before.vote,
        after.log is not before.log and len(after.log) > len(before.log),
        _is_cut(before, after),
        after.commit > before.commit,
        bool(step.sends),
        len(after.queue) > len(before.queue),
        any([isinstance(note, tuple) and note[0] == "answer" for note in step.notes])
        if step.notes
        else False,
    )


def _is_cut(before: Member, after: Member) -> bool:
    if after.log is before.log:
        return False
    return after.log[: len(before.log)] != before.log


_WORDS = (
    "new term", "vote changes", "log grows", "log is cut", "commits", "answers at once", "writes",
    "read confirmed",
)  # fmt: skip


def _branch(key: _Key) -> str:
    """What a step did, in words: `follower to candidate, new term, vote changes, writes`."""
    _, role, after, *done = key
    roles = role if role == after else f"{role} to {after}"
    return ", ".join([roles, *(word for word, is_so in zip(_WORDS, done, strict=True) if is_so)])
