"""Histories that make no sense still become reports: seeded nonsense, values of every type."""

import json
import random
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from delphic.harness.op import Op, OpType
from delphic.reports import junit, markdown
from delphic.reports.page import html
from delphic.reports.page.document import document

KEYS = ("kind", "target", "nodes", "links", "observed", "bit", "role", "term", "leader")
MORE_KEYS = ("processes", "n1->n2", "asked", "wanted", "from", "to")
LEAVES = (None, True, -3, 7, 2**63, 2**70, 1e300, "n1", "leader", "</script>", "\x00")
ACTS = ("partition", "heal", "kill", "restart", "pause", "resume", "delay", "role", "phase", "died")


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9 if depth < 3 else 5)
    if kind < 5:
        return chance.choice(LEAVES)
    if kind == 5:
        return [chance.randint(0, 9) for _ in range(chance.randint(0, 9))]
    if kind == 6:
        return [["n1", "n2"], ["n2", chance.choice(("n1", 3))]]
    if kind == 7:
        return [value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    keys = chance.sample(KEYS + MORE_KEYS, chance.randint(0, 5))
    return {key: value(chance, depth + 1) for key in keys}


def history(chance: random.Random) -> list[Op]:
    ops: list[Op] = []
    pending: dict[Any, str] = {}
    index, time_ns = 0, 0
    for _ in range(chance.randint(0, 80)):
        index += chance.randint(1, 2)
        time_ns += chance.randint(-(10**7), 10**8)
        process = chance.choice((0, 1, 2, -7, 2**40, "nemesis", "nemesis", "observer", "harness"))
        kind = chance.choice((OpType.INVOKE, OpType.INFO))
        f = chance.choice(ACTS)
        if isinstance(process, int) and process in pending:
            f = pending.pop(process)
            kind = chance.choice((OpType.OK, OpType.FAIL, OpType.INFO))
        elif isinstance(process, int):
            kind, f = OpType.INVOKE, chance.choice(("append", "read", "cas", "<i>"))
            pending[process] = f
        node = chance.choice((None, "n1", "n2", "<b>"))
        error = chance.choice((None, "boom", "x" * 500))
        ops.append(Op(index, time_ns, process, kind, f, value(chance), value(chance), node, error))
    return ops


def line(op: Op) -> bytes:
    """JSON as other writers might write it: integers of any size."""
    fields = {name: getattr(op, name) for name in op.__struct_fields__}
    return json.dumps({k: v for k, v in fields.items() if v is not None}).encode() + b"\n"


def verdict(chance: random.Random, ops: list[Op]) -> dict[str, Any]:
    witness = [chance.choice(ops).index for _ in range(chance.randint(0, 4))] if ops else []
    statistics = {"a": value(chance), "b": {"x": value(chance), "y": value(chance)}}
    told = {"checker": "log", "validity": "fail", "sentence": "It broke.", "witness": witness}
    return {
        "schema": 1,
        "scenario": "odd",
        "seed": 1,
        "target": "local",
        "started": chance.choice(("2026-01-31T12:00:00Z", "some day")),
        "duration_s": 1.0,
        "validity": "fail",
        "expected": "pass",
        "as_expected": False,
        "exit_code": 1,
        "sentence": "It broke.",
        "verdicts": [told | {"promises": ["HS-2", "odd"]}],
        "statistics": statistics,
        "provenance": {"version": "1"},
    }


@pytest.mark.slow
def test_any_history_becomes_a_report(tmp_path: Path) -> None:
    shown = 0
    for seed in range(80):
        chance = random.Random(seed)
        ops = history(chance)
        path = tmp_path / str(seed)
        path.mkdir()
        (path / "history.jsonl").write_bytes(b"".join(map(line, ops)))
        (path / "verdict.json").write_text(json.dumps(verdict(chance, ops)))
        found = document(path)
        assert found.verdict is not None
        shown += len(found.calls) + len(found.acts)
        assert html.render(found).endswith("</html>\n")
        assert markdown.render(found).startswith("## ✕ Fail")
        assert ElementTree.fromstring(junit.render(found)).tag == "testsuites"
    assert shown > 600
