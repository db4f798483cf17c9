"""What a verdict tells of a rejected step: next states side by side, and what was around it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ....model.raft_types import Role
from ...clocks import Clocks
from ...prose import plural
from ...traces import Boot, Compacted, Persisted, Proposed, Reads, Received, Record, Timer, Trace
from .finding import Place, Rejected
from .validator import Validated
from .wire import told

AROUND = 4
"""Records of the member before and after the step."""

AROUND_PEERS = 2
"""Of every other member the last ones before it, by the clock."""

OTHERS_MAX = 8


def details(validated: Validated, traces: Mapping[str, Trace], clocks: Clocks) -> dict[str, Any]:
    """JSON for a verdict: counts, coverage, and the first divergence if there is one."""
    found: dict[str, Any] = {
        "records": validated.records,
        "steps": validated.steps,
        "processes": validated.incarnations,
        "lost_ends": validated.gaps,
    }
    if validated.losses:
        found["cut_logs"] = validated.losses
    if validated.counted.branches:
        found["coverage"] = validated.counted.to_dict()
    if validated.undecided:
        found["undecided"] = [f"{u.place}: {u.reason}" for u in validated.undecided]
    if validated.rejected:
        first, *others = validated.rejected
        found["divergence"] = _divergence(first, traces, clocks)
        found["others"] = [_brief(other) for other in others[:OTHERS_MAX]]
    return found


def at_s(place: Place, clocks: Clocks) -> float | None:
    """When it was, in seconds of the history; None if nobody knows."""
    at_ns = clocks.at_ns(place.node, place.t_ns)
    return None if at_ns is None else round(at_ns / 1e9, 6)


def _divergence(rejected: Rejected, traces: Mapping[str, Trace], clocks: Clocks) -> dict[str, Any]:
    place = rejected.place
    return {
        "member": place.node,
        "group": place.group,
        "incarnation": place.inc,
        "step": place.seq,
        "at_s": at_s(place, clocks),
        "rule": rejected.rule,
        "field": rejected.field,
        "reason": rejected.reason,
        "cause": None if rejected.record is None else event_text(rejected.record),
        "promises": list(rejected.promises),
        "would_break": list(rejected.properties),
        "states": side_by_side(rejected),
        "around": [_line(r, place, clocks) for r in _around(rejected, traces, clocks)],
    }


def side_by_side(rejected: Rejected) -> list[list[str]]:
    """Rows of: what, last agreed, in the model, in the implementation."""
    names = dict.fromkeys([*rejected.model, *rejected.found, *rejected.before])
    return [
        [name, *(_text(side, name) for side in (rejected.before, rejected.model, rejected.found))]
        for name in names
    ]


def _text(side: Mapping[str, Any], name: str) -> str:
    if name not in side:
        return ""
    value = side[name]
    if isinstance(value, Role):
        return value.value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or "nothing"
    return "none" if value is None else str(value)


def _brief(rejected: Rejected) -> dict[str, Any]:
    return {
        "where": str(rejected.place),
        "rule": rejected.rule,
        "reason": rejected.reason,
        "promises": list(rejected.promises),
    }


def _around(rejected: Rejected, traces: Mapping[str, Trace], clocks: Clocks) -> Iterable[Record]:
    """The member's records around the step, and the last of the others before it, by the clocks."""
    place = rejected.place

    def at(node: str, t_ns: int) -> int:
        at_ns = clocks.at_ns(node, t_ns)
        return t_ns if at_ns is None else at_ns

    moment = at(place.node, place.t_ns)
    found: list[Record] = []
    for node, trace in traces.items():
        records = trace.records
        if node == place.node:
            number = _find(records, place)
            found += records[max(0, number - AROUND) : number + AROUND + 1]
        else:
            before = [r for r in records if at(node, r.t_ns) <= moment]
            found += before[-AROUND_PEERS:]
    return sorted(found, key=lambda r: (at(r.node, r.t_ns), r.node, r.inc, r.seq))


def _find(records: Sequence[Record], place: Place) -> int:
    for at, record in enumerate(records):
        if (record.inc, record.seq) >= (place.inc, place.seq):
            return at
    return len(records)


def _line(record: Record, place: Place, clocks: Clocks) -> dict[str, Any]:
    is_it = (record.node, record.inc, record.seq) == (place.node, place.inc, place.seq)
    post = record.post
    return {
        "at_s": at_s(Place.of(record), clocks),
        "member": record.node,
        "step": f"{record.inc}/{record.seq}",
        "event": event_text(record),
        "then": f"{post.role}, term {post.term}, vote {post.vote or 'none'}, commit {post.commit}, "
        f"last {post.last[0]} of term {post.last[1]}",
        **({"is_it": True} if is_it else {}),
    }


def event_text(record: Record) -> str:
    """What the core was given, in a line."""
    match record.event:
        case Boot():
            return f"boot with {record.post.last[0]} entries"
        case Timer(timer=timer):
            return f"timer {timer}"
        case Received(uid=uid, message=message):
            return f"received {told(message)} from {uid[0]} ({uid[1]}/{uid[2]})"
        case Proposed(entries=entries):
            return f"proposed {plural(len(entries), 'entry', 'entries')}"
        case Compacted(index=index):
            return f"the tables hold durably what entries did up to {index}"
        case Reads(tokens=tokens):
            return f"{plural(len(tokens), 'read')} asked for"
        case Persisted(through=through, released=released):
            sent = plural(len(released), "message")
            return f"a sync ended, up to step {through}, {sent} released"
        case _:
            return "stop"
