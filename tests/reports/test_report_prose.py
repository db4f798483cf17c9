"""Values in a few words."""

from typing import Any

import pytest
from delphic.harness.history import Call
from delphic.harness.op import Op, OpType
from delphic.reports.prose import CHARACTERS_MAX, call_text, duration_text, op_text, value_text


def call(f: str, asked: Any, kind: OpType | None, value: Any = None, error: Any = None) -> Call:
    invoke = Op(0, 0, 1, OpType.INVOKE, f, key="t", value=asked)
    done = None if kind is None else Op(1, 1, 1, kind, f, key="t", value=value, error=error)
    return Call(invoke, done)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (call("append", [7], OpType.OK, 12), "row 7 → offset 12"),
        (call("append", [7, 9], OpType.OK, 12), "rows 7, 9 → offset 12"),
        (call("append", list(range(9)), OpType.INFO, error="Timeout"),
         "rows 0, 1 … 8 (9) → Timeout"),
        (call("append", [7], OpType.FAIL), "row 7 → fail"),
        (call("append", [7], None), "row 7 → no answer"),
        (call("read", [5, None], OpType.OK, []), "from 5, to the end → no rows"),
        (call("read", [5, 20], OpType.OK, [1, 2]), "from 5, at most 20 → 1, 2"),
        (call("read", "all", OpType.OK, {"a": 1}), 'all → {"a":1}'),
        (call("cas", [1, 2], OpType.OK, True), "[1,2] → true"),
        (call("append", "odd", OpType.OK, "odd"), "odd → odd"),
    ],
)  # fmt: skip
def test_calls_are_told(found: Call, text: str) -> None:
    assert call_text(found) == text


def test_long_values_are_cut() -> None:
    assert len(value_text("x" * 1000)) == CHARACTERS_MAX
    assert len(value_text({"x": "y" * 1000})) == CHARACTERS_MAX
    assert len(value_text(["y" * 1000] * 9)) <= CHARACTERS_MAX
    assert value_text(list(range(2_000))) == "0, 1 … 1999 (2,000)"


def test_lone_ops_are_told_with_their_error() -> None:
    op = Op(0, 0, "harness", OpType.INFO, "replica", value={"rows": 3}, error="silent")
    assert op_text(op) == '{"rows":3} silent'
    assert op_text(Op(0, 0, "harness", OpType.INFO, "phase")) == ""


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [(None, "–"), (1_500, "1.5 ms"), (999_949, "999.9 ms"), (2_500_000, "2.50 s")],
)
def test_durations_have_the_unit_that_suits_them(duration_us: int | None, text: str) -> None:
    assert duration_text(duration_us) == text
