"""Records of different members have an order in which they may have come, or are rejected."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from delphic.harness.conform.trace.causes import Causes
from delphic.harness.conform.trace.finding import Rejected
from delphic.harness.conform.trace.wire import Wire
from delphic.harness.traces import Record
from traced import record

FIELDS = {"term": 1, "success": True, "match": 1, "hint": 0, "round": 0}

Line = dict[str, Any]


def beat(**more: Any) -> Line:
    return {"event": {"kind": "timer", "timer": "heartbeat"}, **more}


def message(node: str, dst: str, number: int, inc: int = 1) -> Line:
    uid = (node, inc, number)
    return {"kind": "AppendResponse", "uid": uid, "dst": dst, "fields": FIELDS}


def sends(node: str, dst: str, number: int, inc: int = 1) -> Line:
    return beat(out=[message(node, dst, number, inc)])


def holds(node: str, dst: str, number: int) -> Line:
    return beat(held=[message(node, dst, number)])


def releases(node: str, through: int, number: int) -> Line:
    return {"event": {"kind": "persisted", "through": through, "released": [(node, 1, number)]}}


def gets(node: str, number: int, inc: int = 1) -> Line:
    told = {"kind": "AppendResponse", "fields": FIELDS}
    return {"event": {"kind": "received", "uid": (node, inc, number), "message": told}}


def rejected(**lines: Sequence[Line]) -> Rejected | None:
    """Of these records of each member; `inc` begins a new process."""
    traces = {node: numbered(node, each) for node, each in lines.items()}
    wire = Wire()
    for records in traces.values():
        for one in records:
            wire.add(one)
    try:
        Causes(traces, {(node, 2): wire for node in traces}).check()
    except Rejected as found:
        return found
    return None


def numbered(node: str, lines: Sequence[Line]) -> list[Record]:
    found: list[Record] = []
    inc = seq = 0
    for line in lines:
        inc, seq = (inc, seq + 1) if line.get("inc", 1) == inc else (line.get("inc", 1), 0)
        found.append(record({**line, "node": node, "inc": inc, "seq": seq}))
    return found


def test_what_was_sent_before_it_arrived_has_an_order() -> None:
    assert rejected(n1=[sends("n1", "n2", 1), gets("n2", 1)], n2=[gets("n1", 1)]) is None
    there = [sends("n1", "n2", 1), gets("n2", 1), sends("n1", "n2", 2)]
    assert rejected(n1=there, n2=[gets("n1", 1), sends("n2", "n1", 1), gets("n1", 2)]) is None


def test_messages_that_wait_for_one_another_have_none() -> None:
    there = [gets("n2", 1), sends("n1", "n2", 1)]
    back = [gets("n1", 1), sends("n2", "n1", 1)]
    found = rejected(n1=there, n2=back)
    assert found is not None
    assert (found.rule, found.field) == ("provenance", "uid")
    assert "before it had left" in found.reason
    around = [gets("n3", 1), sends("n1", "n2", 1)]
    assert rejected(n1=around, n2=[gets("n1", 1), sends("n2", "n3", 1)], n3=[]) is None
    third = [gets("n2", 1), sends("n3", "n1", 1)]
    assert rejected(n1=around, n2=[gets("n1", 1), sends("n2", "n3", 1)], n3=third) is not None


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([holds("n1", "n2", 1), gets("n2", 1), releases("n1", 0, 1)], "before a sync released it"),
        ([holds("n1", "n2", 1), gets("n2", 1), beat()], "before a sync released it"),
        ([beat(), gets("n2", 1), beat()], "no line sends it"),
        ([holds("n1", "n2", 1), releases("n1", 0, 1), gets("n2", 1)], None),
    ],
)
def test_nothing_arrives_before_a_sync_released_it_or_while_later_lines_were_made(
    lines: Sequence[Line], words: str | None
) -> None:
    """The answer to what a member held, or has no line for, is no line of it any more."""
    found = rejected(n1=lines, n2=[gets("n1", 1), sends("n2", "n1", 1)])
    assert (found is None) is (words is None)
    assert words is None or (found is not None and words in found.reason)


def test_the_next_process_may_hear_what_the_one_before_had_caused() -> None:
    lines = [holds("n1", "n2", 1), beat(inc=2), {**gets("n2", 1), "inc": 2}]
    assert rejected(n1=lines, n2=[gets("n1", 1), sends("n2", "n1", 1)]) is None
    unheard: Mapping[str, Any] = {"n1": [{**beat(), "inc": 1}, {**gets("n2", 1), "inc": 1}]}
    later = [gets("n1", 7, inc=2), sends("n2", "n1", 1)]
    assert rejected(**unheard, n2=later) is not None
