"""A step that nothing explains: where it stands, and what was expected there."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from ....model.raft_types import Log, Member, Read
from ...traces import Record
from ..raft.names import Names


@dataclass(frozen=True, slots=True)
class Place:
    """A record: `seq` of incarnation `inc` of a member; `t_ns` by that member's clock."""

    node: str
    group: int
    inc: int
    seq: int
    t_ns: int

    @classmethod
    def of(cls, record: Record) -> "Place":
        return cls(record.node, record.group, record.inc, record.seq, record.t_ns)

    def __str__(self) -> str:
        return f"step {self.seq} of incarnation {self.inc} of {self.node}"


def place_of(node: str, record: Record | None) -> Place:
    """A member's record, or before all of them."""
    return Place(node, 0, 0, 0, 0) if record is None else Place.of(record)


@dataclass
class Rejected(Exception):
    """A record that cannot be, or that the model does not explain.

    `rule` is what it breaks: continuity, provenance, durability, recovery, step, promise. `before`
    is the last state that model and member agreed on, `model` and `found` are what came next on
    either side, by names of fields.
    """

    place: Place
    rule: str
    reason: str
    promises: tuple[str, ...] = ()
    field: str = ""
    before: dict[str, Any] = dataclasses.field(default_factory=dict)
    model: dict[str, Any] = dataclasses.field(default_factory=dict)
    found: dict[str, Any] = dataclasses.field(default_factory=dict)
    record: Record | None = None
    properties: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Undecided:
    """A stretch of a trace that could not be judged, and why."""

    place: Place
    reason: str


def state_of(s: Member, names: Names) -> dict[str, Any]:
    """A state of the model for people."""
    told: dict[str, Any] = {
        "term": s.term,
        "vote": names.alias(s.vote),
        "role": s.role.value,
        "commit": s.commit,
        "log": log_text(s.log),
        "durable": f"term {s.disk.term}, vote {names.alias(s.disk.vote) or 'none'}, "
        f"log {log_text(s.disk.log)}",
        "not yet durable": f"{len(s.queue)} writes",
    }
    if s.votes:
        told["votes"] = [names.alias(voter) for voter in s.votes]
    if any(s.match):
        told["match"] = {
            names.member(peer): match for peer, match in enumerate(s.match) if peer != s.me
        }
    if s.heard:
        told["heard"] = sorted(names.member(peer) for peer in s.heard)
    if isinstance(s.read, Read):
        told["read"] = f"at {s.read.at}, round {s.read.round}, of {len(s.read.acks)}"
    return told


def log_text(log: Log) -> str:
    """How long, and of which terms: `7 entries [1x4, 3x3]`."""
    return f"{len(log)} entries {log}" if len(log) else "empty"
