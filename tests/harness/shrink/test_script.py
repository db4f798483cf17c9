"""Operations of a recorded run as a script: which are chosen, and how each is written."""

from typing import Any

import pytest
from delphic.harness.history import encode
from delphic.harness.op import HARNESS, NEMESIS, OBSERVER, Op, OpType
from delphic.harness.shrink.script import OPERATIONS_MAX, scripts

DATA: dict[str, Any] = {
    "name": "mine",
    "workload": {"name": "log", "clients": 4, "rate": 100, "read_share": 0.9, "routing": "home"},
    "duration": "3s",
}


def recorded(*calls: tuple[int, int, str, Any, Any]) -> bytes:
    """A history of (ms after the clients began, process, f, asked, answered)."""
    ops = [Op(0, 1_000_000_000, HARNESS, OpType.INFO, "phase", value="main")]
    for at_ms, process, f, asked, came in calls:
        time_ns = (1_000 + at_ms) * 1_000_000 + 345_678
        ops.append(Op(len(ops), time_ns, process, OpType.INVOKE, f, value=asked, node="n1"))
        ops.append(Op(len(ops), time_ns + 9, process, OpType.OK, f, value=came, node="n2"))
    return b"".join(encode(op) for op in ops)


HISTORY = recorded(
    (100, 1, "append", [1, 5], 0),
    (900, 7, "read", [3, 20], []),
    (920, 2, "append", [2], 2),
    (1_800, 3, "read", [0, None], [1, 5, 2]),
    (3_050, 1, "append", [9], 3),
)


def ops(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["workload"]["ops"]
    return found


def test_nothing_comes_first_then_what_is_cited_then_more_then_all() -> None:
    found = list(scripts(DATA, HISTORY, witness=[4, 6]))
    assert [len(ops(document)) for document in found] == [0, 0, 2, 2, 2, 4, 4, 4]
    assert [document["workload"]["routing"] for document in found[2:5]] == [
        "follow",
        "home",
        "follow",
    ]


def test_what_is_cited_is_played_by_clients_that_are_counted_anew() -> None:
    document = list(scripts(DATA, HISTORY, witness=[4, 6]))[2]
    assert document["workload"] == {
        "name": "log",
        "routing": "follow",
        "ops": [
            {"client": 1, "at": "900ms", "node": "n2", "read": [0, None]},
            {"client": 0, "at": "920ms", "node": "n2", "append": 1},
        ],
    }


def test_the_last_try_plays_everything_as_it_was() -> None:
    assert ops(list(scripts(DATA, HISTORY, witness=[]))[-1]) == [
        {"client": 0, "at": "100ms", "node": "n2", "append": 2},
        {"client": 2, "at": "900ms", "node": "n2", "read": [3, 20]},
        {"client": 1, "at": "920ms", "node": "n2", "append": 1},
        {"client": 2, "at": "1.8s", "node": "n2", "read": [0, None]},
    ]


def test_a_script_as_long_as_the_run_is_not_worth_a_try() -> None:
    calls = [(at % 2_900, 0, "append", [at], at) for at in range(OPERATIONS_MAX + 1)]
    found = list(scripts(DATA, recorded(*sorted(calls)), witness=[]))
    assert [len(ops(document)) for document in found] == [0, 0]


@pytest.mark.parametrize("history", [b"", encode(Op(0, 5, HARNESS, OpType.INFO, "phase"))])
def test_a_run_that_never_began_has_nothing_to_play(history: bytes) -> None:
    assert [ops(document) for document in scripts(DATA, history, witness=[3])] == [[], []]


def test_who_was_asked_is_said_by_what_it_was_then() -> None:
    data = DATA | {"faults": [{"at": "0s", "pause": "n3"}, {"at": "500ms", "partition": "leader"}]}
    asked = {"kind": "partition", "target": "leader"}
    hit = {"asked": asked, "nodes": ["n2"], "bit": True}
    ops_ = [Op(0, 0, HARNESS, OpType.INFO, "phase", value="main")]

    def add(at_ms: int, process: Any, type: OpType, f: str, value: Any, node: str | None) -> None:
        ops_.append(Op(len(ops_), at_ms * 1_000_000, process, type, f, value=value, node=node))

    def append(at_ms: int, node: str) -> None:
        add(at_ms, 0, OpType.INVOKE, "append", [at_ms], node)
        add(at_ms + 1, 0, OpType.OK, "append", at_ms, node)

    add(10, OBSERVER, OpType.INFO, "role", {"role": "leader", "term": 1, "leader": "n2"}, "n2")
    append(20, "n2")
    append(30, "n3")
    add(500, NEMESIS, OpType.INVOKE, "partition", asked, None)
    add(501, NEMESIS, OpType.INFO, "partition", hit, None)
    append(600, "n2")
    add(900, OBSERVER, OpType.INFO, "role", {"role": "leader", "term": 2, "leader": "n1"}, "n1")
    append(1_000, "n2")
    append(1_100, "n1")
    history = b"".join(encode(op) for op in ops_)
    found = [document for document in scripts(data, history, witness=[]) if ops(document)]
    words = [op["node"] for op in ops(found[0])]
    assert words == ["leader", "n3", "leader", "hit-2", "leader"]
    assert [step.get("as") for step in found[0]["faults"]] == [None, "hit-2"]
    assert [op["node"] for op in ops(found[-1])] == ["n2", "n3", "n2", "n2", "n1"]
