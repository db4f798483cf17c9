"""What each member was when: its role and term as observed, dead or paused by a fault."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ...harness.history import History
from ...harness.op import OBSERVER
from .faults import DEAD, PAUSED, UNDOES, Act, faults

ROLES = ("leader", "candidate", "precandidate", "follower")
UNKNOWN = "unknown"


class Span(msgspec.Struct, frozen=True):
    """A stretch of a member's time in one role and term; times in microseconds."""

    node: str
    role: str
    term: int | None
    leader: str | None
    start: int
    end: int


def spans(history: History, done: Iterable[Act], end: int) -> tuple[Span, ...]:
    """Roles as the observer saw them change, then the times in which faults silenced members."""
    struck = sorted(_silences(done, end), key=lambda span: (span.node, span.start))
    return (*_roles(history, struck, end), *struck)


def at(found: Iterable[Span], node: str, time_us: int) -> Span | None:
    """The span that holds for a member at that time: a silence before a role."""
    holding = [span for span in found if span.node == node and span.start <= time_us <= span.end]
    return holding[-1] if holding else None


def terms_with_leader(found: Iterable[Span]) -> list[int]:
    """Every term in which a leader was observed."""
    return sorted({s.term for s in found if s.role == "leader" and s.term is not None})


def _roles(history: History, struck: list[Span], end: int) -> Iterator[Span]:
    current: dict[str, Span] = {}
    for op in history.of(OBSERVER):
        if op.node is None or op.f not in ("role", "died"):
            continue
        time_us = op.time_ns // 1000
        if op.node in current:
            yield from _lasting(current[op.node], time_us, struck)
        value = op.value if isinstance(op.value, dict) else {}
        current[op.node] = _span(op.node, DEAD if op.f == "died" else None, value, time_us)
    for span in current.values():
        yield from _lasting(span, max(end, span.start), struck)


def _span(node: str, state: str | None, value: dict[str, Any], time_us: int) -> Span:
    role, term, leader = value.get("role"), value.get("term"), value.get("leader")
    return Span(
        node=node,
        role=state or (role if role in ROLES else UNKNOWN),
        term=term if type(term) is int else None,
        leader=leader if isinstance(leader, str) else None,
        start=time_us,
        end=time_us,
    )


def _lasting(span: Span, until: int, struck: list[Span]) -> Iterator[Span]:
    """The role until then, but for the times in which the member was paused, or dead for good."""
    start = span.start
    for silence in struck:
        if silence.node != span.node or silence.end <= start or silence.start >= until:
            continue
        if silence.start > start:
            yield msgspec.structs.replace(span, start=start, end=silence.start)
        # What a killed member was is gone with it.
        start = until if silence.role == DEAD else silence.end
    if start < until or start == span.start:
        yield msgspec.structs.replace(span, start=start, end=max(start, until))


def _silences(done: Iterable[Act], end: int) -> Iterator[Span]:
    """A member is dead or paused from the act that made it so to the one that names it again."""
    acts = list(done)
    for at_act, act in enumerate(acts):
        state = {"kill": DEAD, "power-cut": DEAD, "pause": PAUSED}.get(act.f)
        if state is None or act.number is None:
            continue
        for node in act.nodes:
            undone = (
                later.done if later.done is not None else later.start
                for later in acts[at_act + 1 :]
                if act.f in UNDOES.get(later.f, ()) and (not later.nodes or node in later.nodes)
            )
            until = next(undone, max(end, act.start))
            yield Span(node, state, None, None, act.start, until)


def silenced(done: Iterable[Act], node: str, time_us: int) -> list[Act]:
    """The faults in force at that time that hit this member."""
    return [act for act in faults(done) if node in act.nodes and act.is_in_force(time_us)]
