"""The bounded search: what it decides, and what it says when it may not go on."""

import importlib.util
from functools import cache
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
from delphic.harness.check import check
from delphic.harness.evidence import Budget, Evidence
from delphic.harness.history import History, validated
from delphic.harness.op import Op, OpType
from delphic.harness.verdict import Validity, Verdict

BENCH = Path(__file__).resolve().parents[3] / "bench" / "logs.py"


@cache
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_logs", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # As Python does for a script: it imports its neighbours.
        patch.syspath_prepend(BENCH.parent)
        spec.loader.exec_module(module)
    return module


def puzzle(sizes: list[int], hole: int) -> History:
    """Appends of these sizes, all left open, below one that was acknowledged behind a hole."""
    ops: list[Op] = []
    row = 0
    for client, size in enumerate(sizes):
        rows = list(range(row, row + size))
        row += size
        ops.append(Op(len(ops), len(ops), client, OpType.INVOKE, "append", value=rows))
        ops.append(Op(len(ops), len(ops), client, OpType.INFO, "append", error="Timeout"))
    client = len(sizes)
    ops.append(Op(len(ops), len(ops), client, OpType.INVOKE, "append", value=[row]))
    ops.append(Op(len(ops), len(ops), client, OpType.OK, "append", value=hole))
    return validated(ops)


def judged(history: History, budget: Budget, name: str = "log-search") -> Verdict:
    return check(Evidence(history, ("n1",), budget=budget), [name])[0]


HARD = puzzle([2 * size for size in range(1, 25)], 301)
"""An odd hole and even batches: no way to fill it, and very many ways to try."""


@pytest.mark.slow
@pytest.mark.parametrize("violate", [False, True])
def test_a_run_of_twenty_thousand_operations_is_decided_within_the_default_budget(
    violate: bool,
) -> None:
    # The clock stands still: the test is about the work, not about this machine.
    history = bench().generate(20_000, seed=3, page_max=1_000, violate=violate)
    verdict = judged(history, Budget(clock=lambda: 0.0))
    assert verdict.validity is (Validity.FAIL if violate else Validity.PASS)
    assert verdict.details["configurations"] < 12_000


@pytest.mark.slow
def test_the_late_violation_of_the_bench_is_found_by_monitor_and_search() -> None:
    history = bench().generate(5_000, seed=4, page_max=1_000, violate=True)
    evidence = Evidence(history, ("n1", "n2", "n3"), budget=Budget(clock=lambda: 0.0))
    verdict = check(evidence, ["linearizable"])[0]
    assert verdict.validity is Validity.FAIL
    assert verdict.details["kind"] in ("stale-read", "torn-batch")
    assert len(verdict.witness) == 2


def test_the_hole_that_open_batches_fill_is_filled() -> None:
    history = puzzle([2 * size for size in range(1, 25)], 300)
    assert judged(history, Budget(clock=lambda: 0.0)).validity is Validity.PASS


@pytest.mark.parametrize(
    ("budget", "limit"),
    [
        (Budget(configurations=500, clock=lambda: 0.0), "500 configurations"),
        (Budget(memory_mib=0, clock=lambda: 0.0), "0 MiB of memory"),
        (Budget(seconds=2.5, clock=count().__next__), "2.5 s"),
    ],
)
def test_a_limit_that_was_hit_is_named_with_the_prefix_that_was_verified(
    budget: Budget, limit: str
) -> None:
    verdict = judged(HARD, budget)
    assert verdict.validity is Validity.UNKNOWN
    assert verdict.sentence == (
        "Linearizable up to operation 48; of the rest the search decided nothing within its bound "
        f"of {limit}."
    )
    assert verdict.details["limit"] == limit
    assert verdict.details["verified_below"] == 49


def test_the_clock_is_looked_at_inside_the_search() -> None:
    verdict = judged(HARD, Budget(seconds=3, clock=count().__next__))
    assert verdict.details["configurations"] < 1_000


def test_what_neither_opinion_decides_is_unknown() -> None:
    verdict = judged(HARD, Budget(configurations=500), "linearizable")
    assert verdict.validity is Validity.UNKNOWN
    assert verdict.sentence == (
        "Whether 24 appends of open outcome can account for offsets 0 to 300 was not decided "
        "within the monitor's bound; nothing else was found wrong."
    )


@pytest.mark.slow
def test_where_the_monitor_is_silent_the_search_decides() -> None:
    sizes = [2 * size for size in range(1, 16)]
    evidence = Evidence(puzzle(sizes, 239), ("n1",), budget=Budget(clock=lambda: 0.0))
    together = check(evidence, ["linearizable"])[0]
    exact, bounded = together.details["opinions"]
    assert exact["validity"] == "unknown"
    assert bounded["validity"] == "fail"
    assert (together.validity, together.sentence) == (Validity.FAIL, bounded["sentence"])


def test_a_search_out_of_time_takes_nothing_away_from_the_monitor() -> None:
    history = puzzle([1] * 200, 100)
    verdict = judged(history, Budget(configurations=10), "linearizable")
    assert verdict.validity is Validity.PASS
    assert "The second opinion was not in time" in verdict.sentence


def test_one_budget_serves_all_tables() -> None:
    ops = [
        Op(index, index, 0, kind, "append", key=str(index // 2), value=value)
        for index, (kind, value) in enumerate(
            [(OpType.INVOKE, [1]), (OpType.OK, 0), (OpType.INVOKE, [2]), (OpType.OK, 0)]
        )
    ]
    verdict = judged(validated(ops), Budget(configurations=1))
    assert verdict.validity is Validity.UNKNOWN
    assert "of table 1" in verdict.sentence
