"""What the rest of a report says of a run with slaves: many functions, several groups."""

from typing import Any

import pytest
from delphic.harness.history import History, validated
from delphic.harness.op import OBSERVER, Op, OpType
from delphic.reports.page.calls import calls
from delphic.reports.page.document import elections
from delphic.reports.page.html import render
from delphic.reports.page.members import spans
from delphic.reports.page.series import acknowledged, series
from delphic.reports.prose import asked_text, result_text

MS = 10**6


def history(*found: tuple[str, Any, Any]) -> History:
    """One client's calls, a second apart: f, what was asked, what was answered."""
    ops: list[Op] = []
    for second, (f, asked, answer) in enumerate(found):
        at = second * 1000 * MS
        ops.append(Op(len(ops), at, 0, OpType.INVOKE, f, key="dfs://a/t", value=asked))
        ops.append(Op(len(ops), at + 5 * MS, 0, OpType.OK, f, key="dfs://a/t", value=answer))
    return validated(ops)


def test_rows_are_those_of_transactions_and_a_look_is_no_write() -> None:
    found = acknowledged(
        history(
            ("append", {"rows": [[1, 0, 7], [2, 0, 7]]}, {"tid": 1, "rows": 2}),
            ("metrics", None, {"status": "ENABLED", "finished": 1}),
            ("queue", None, []),
            ("stop", None, None),
            ("update", {"p": 1, "v": 3}, {"tid": 2, "rows": 5}),
        ),
        0,
        5_000_000,
    )
    assert found.rows == 7
    assert len(found.times) == 2
    assert found.longest is not None
    assert found.longest.length == 4_000_000


def test_latencies_of_many_functions_are_three_kinds() -> None:
    fs = ("append", "read", "metrics", "queue", "stop")
    found = series(calls(history(*((f, None, None) for f in fs)), 1))
    assert [latency.f for latency in found.latencies] == ["append", "read", "others"]
    assert len(found.latencies[2].points_s) == 3
    few = series(calls(history(*((f, None, None) for f in fs[:3])), 1))
    assert [latency.f for latency in few.latencies] == ["append", "read", "metrics"]


def test_nothing_is_asked_of_a_look() -> None:
    (call,) = history(("metrics", None, {})).calls()
    assert asked_text(call.invoke) == ""


@pytest.mark.parametrize(
    ("f", "answer", "told"),
    [
        (
            "tasks",
            [[n, n, n, "APPEND", "dfs://a", "t", s, "s1d1", "", 1, 2]
             for n, s in enumerate(("FINISH", "FINISH", "EXECUTING", "FAILED", "EXECUTING"), 1)],
            "5 tasks: 2 FINISH, 2 EXECUTING (3, 5), 1 FAILED (4)",
        ),
        ("tasks", [], "no tasks"),
        ("queue", [[1, 4, 1, "APPEND", "dfs://a", "t", True],
                   [2, 5, 1, "APPEND", "dfs://a", "t", False]],
         "2 tasks, 1 truncated, the last 2 in group 1"),
        ("queue", [[1]], "[[1]]"),
        ("tasks", "odd", "odd"),
    ],
)  # fmt: skip
def test_status_tables_are_summed_up(f: str, answer: Any, told: str) -> None:
    (call,) = history((f, None, answer)).calls()
    assert call.completion is not None
    assert result_text(call.completion) == told


def test_terms_are_counted_group_by_group() -> None:
    seen = (("mc1", 1), ("mc2", 3), ("s1c1", 1), ("mc1", 2))
    ops = [
        Op(n, n, OBSERVER, OpType.INFO, "role", node=node, value={"role": "leader", "term": term})
        for n, (node, term) in enumerate(seen)
    ]
    roles = spans(validated(ops), (), 10)
    assert elections(roles, ("m", "s1")) == (4, "m 1–3, s1 1")
    assert elections(roles, ()) == (3, "terms 1–3")


def test_many_functions_share_a_button(documents: Any) -> None:
    page = render(documents("slaves"))
    assert "metrics, queue, stop" in page
    assert ">4 others<" not in page
    assert ">3 others<" in page
    assert "others<" not in render(documents("pass"))
