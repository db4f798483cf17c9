"""The paragraph about a small run: what was asked, what broke, what was seen, in order."""

from typing import Any

import msgspec
import pytest
from delphic.harness.history import History
from delphic.harness.op import HARNESS, NEMESIS, OBSERVER, Op, OpType
from delphic.harness.plan import Plan, plan
from delphic.harness.scenario import load
from delphic.harness.shrink.story import tell
from delphic.harness.verdict import Provenance, RunVerdict, Validity, Verdict

TEXT = """\
name: mine
cluster: {config: {raftElectionTick: 100}, bugs: {all: [stale-read]}}
workload:
  name: log
  ops:
    - {client: 0, at: 1.2s, node: n2, append: 1}
    - {client: 0, at: 1.2s, node: n1, read: [0, null]}
duration: 2s
faults: [{at: 0s, partition: leader}]
"""


def planned(text: str = TEXT) -> Plan:
    return plan(load(text, "mine.yaml"), seed=1, target="sim", command="")


class Told:
    """A history that is written op by op; `main` begins at 1 s."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def add(self, at_ms: int, process: Any, type: OpType, f: str, value: Any, **more: Any) -> int:
        index = len(self.ops)
        self.ops.append(Op(index, at_ms * 1_000_000, process, type, f, value=value, **more))
        return index

    def phase(self, at_ms: int, name: str) -> None:
        self.add(at_ms, HARNESS, OpType.INFO, "phase", name)

    def leader(self, at_ms: int, node: str, term: int) -> None:
        value = {"role": "leader", "term": term, "leader": node}
        self.add(at_ms, OBSERVER, OpType.INFO, "role", value, node=node)

    def act(self, at_ms: int, f: str, asked: dict[str, Any], nodes: list[str]) -> None:
        self.add(at_ms, NEMESIS, OpType.INVOKE, f, asked)
        value = {"asked": asked, "nodes": nodes, "observed": {}, "bit": True}
        self.add(at_ms + 1, NEMESIS, OpType.INFO, f, value)

    def call(
        self, at_ms: int, node: str, f: str, asked: Any, type: OpType, came: Any, **more: Any
    ) -> int:
        self.add(at_ms, 0, OpType.INVOKE, f, asked, node=node)
        return self.add(at_ms + 2, 0, type, f, came, node=node, **more)

    def history(self) -> History:
        return History(tuple(self.ops))


def judged(*verdicts: Verdict) -> RunVerdict:
    return RunVerdict(
        schema=1,
        scenario="mine",
        seed=1,
        target="sim",
        started="",
        duration_s=3.0,
        validity=Validity.FAIL,
        expected="fail",
        as_expected=True,
        exit_code=0,
        sentence="",
        verdicts=verdicts,
        statistics={},
        provenance=Provenance("0"),
    )


STALE = (
    "Stale read: read #9 by client 0 through n1 from 2.203 s to 2.204 s returned no row, although "
    "it was there. Faults in force then: partition of n1 (since 1.000 s)."
)


def stale() -> tuple[Told, RunVerdict]:
    told = Told()
    told.leader(900, "n1", 1)
    told.phase(1_000, "main")
    told.act(1_000, "partition", {"kind": "partition", "target": "leader"}, ["n1"])
    told.leader(2_132, "n2", 2)
    told.call(2_200, "n2", "append", [0], OpType.OK, 0)
    cited = told.call(2_203, "n1", "read", [0, None], OpType.OK, [])
    told.phase(3_000, "heal")
    told.act(3_001, "heal", {"kind": "heal", "target": "all"}, ["n1", "n2", "n3"])
    told.phase(3_010, "quiesce")
    told.call(3_020, "n2", "append", [1], OpType.OK, 1)
    return told, judged(Verdict("linearizable", Validity.FAIL, STALE, ("HS-4",), (cited,)))


def test_a_stale_read_is_told_in_the_order_of_time_in_the_scenarios_own_time() -> None:
    told, verdict = stale()
    assert tell(planned(), told.history(), verdict, frozenset({"HS-4"})) == (
        "Three members, with the seeded bug stale-read (raftElectionTick: 100), and two scripted "
        "operations. When clients begin, n1 leads in term 1. At 0s n1 is cut off (partition: "
        "leader). At 1.132s n2 leads in term 2. At 1.2s client 0 appends row 0 through n2, "
        "acknowledged at offset 0. At 1.203s client 0 reads all through n1 and gets nothing. At 2s "
        "all faults are undone. Checker linearizable: Stale read: read by client 0 through n1 from "
        "1.203s to 1.204s returned no row, although it was there. That breaks HS-4 (All members "
        "hold the same committed rows in the same order). It runs with --on local, too."
    )


def test_the_verdict_on_just_these_promises_is_told() -> None:
    told, verdict = stale()
    wider = Verdict("order", Validity.FAIL, "Wider.", ("HS-4", "HS-5"))
    passed = Verdict("quorum", Validity.PASS, "Passed.", ("HS-4",))
    both = msgspec.structs.replace(verdict, verdicts=(passed, wider, *verdict.verdicts))
    assert "Checker linearizable: Stale" in tell(
        planned(), told.history(), both, frozenset({"HS-4"})
    )
    text = tell(planned(), told.history(), both, frozenset({"HS-5"}))
    assert "Checker order: Wider. That breaks HS-5 (" in text


@pytest.mark.parametrize(
    ("f", "asked", "type", "came", "error", "said"),
    [
        (
            "append",
            [3, 5],
            OpType.OK,
            7,
            None,
            "appends rows 3, 5 through n1, acknowledged at offset 7.",
        ),
        (
            "append",
            [3],
            OpType.FAIL,
            [3],
            "NotLeader: <NotLeader>h:1:n2",
            "appends row 3 through n1 and is refused (NotLeader).",
        ),
        (
            "append",
            [3],
            OpType.INFO,
            [3],
            "Timeout: 1 s",
            "appends row 3 through n1 and never learns whether it was done (Timeout).",
        ),
        ("read", [0, None], OpType.OK, [1], None, "reads all through n1 and gets row 1."),
        (
            "read",
            [4, None],
            OpType.OK,
            list(range(9)),
            None,
            "reads from offset 4 through n1 and gets rows 0, 1, 2, 3, 4, 5 and 3 more.",
        ),
        (
            "read",
            [4, 20],
            OpType.INFO,
            None,
            None,
            "reads at most 20 rows from offset 4 through n1 and gets no answer.",
        ),
    ],
)
def test_an_operation_is_told_with_what_came_of_it(
    f: str, asked: Any, type: OpType, came: Any, error: str | None, said: str
) -> None:
    told = Told()
    told.phase(1_000, "main")
    told.call(1_500, "n1", f, asked, type, came, error=error)
    text = tell(planned(), told.history(), judged(), frozenset({"HS-4"}))
    assert f"At 500ms client 0 {said}" in text


@pytest.mark.parametrize(
    ("asked", "nodes", "said"),
    [
        ({"kind": "kill", "target": "one"}, ["n2"], "n2 is killed."),
        ({"kind": "power-cut", "target": "all"}, ["n1", "n2"], "n1 and n2 lose power."),
        (
            {"kind": "one-way", "target": {"from": "leader", "to": "others"}},
            ["n1"],
            "what n1 sends no longer arrives (one-way: from leader, to others).",
        ),
        (
            {"kind": "partition", "target": [["n1"], ["n2", "n3"]]},
            ["n1"],
            "n1 is cut off (partition: n1 | n2, n3).",
        ),
        (
            {"kind": "disk", "target": "all", "disk": {"slow": 20.0, "full": False}},
            ["n1", "n2"],
            "disk: all, disk slow 20.0 on n1 and n2.",
        ),
    ],
)
def test_a_fault_is_told_with_whom_it_hit(
    asked: dict[str, Any], nodes: list[str], said: str
) -> None:
    told = Told()
    told.phase(1_000, "main")
    told.act(1_250, asked["kind"], asked, nodes)
    assert f"At 250ms {said}" in tell(planned(), told.history(), judged(), frozenset({"HS-4"}))


def test_of_many_operations_those_that_show_it_are_told() -> None:
    told = Told()
    told.phase(1_000, "main")
    cited = [told.call(1_000 + 10 * at, "n1", "append", [at], OpType.OK, at) for at in range(20)]
    verdict = judged(Verdict("order", Validity.FAIL, "So.", ("HS-4",), (cited[7],)))
    text = tell(planned(), told.history(), verdict, frozenset({"HS-4"}))
    assert text.count("appends") == 1
    assert "At 70ms client 0 appends row 7 through n1" in text


def test_without_a_script_the_clients_are_counted() -> None:
    text = "name: mine\nworkload: {name: log}\nduration: 2s\n"
    assert tell(planned(text), History(()), judged(), frozenset({"HS-1"})) == (
        "Three members, and eight clients. That breaks HS-1 (At most one leader in a term). "
        "It runs with --on local, too."
    )
