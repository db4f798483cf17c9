"""The comparison with Porcupine: its histories, and what it concludes, without running it."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from delphic.harness.verdict import Validity

PARTS = ("bounds", "tools", "registers", "linearizability")
"""Each imports those before it."""


@pytest.fixture
def bench(load: Callable[..., ModuleType]) -> ModuleType:
    return load(*(f"peers/{name}" for name in PARTS))


def test_valid_histories_are_linearizable_and_violated_ones_are_not(bench: ModuleType) -> None:
    decided = set()
    for shape in bench.cells():
        small = type(shape)(4, 60, shape.indeterminate, shape.values, shape.swaps, shape.violation)
        judgement = bench.decide("search", bench.generate(small), 60.0)
        wanted = Validity.FAIL if shape.violation else Validity.PASS
        assert judgement.validity is wanted, small.name
        decided.add(small.name)
    assert len(decided) == 12


def test_both_judges_get_the_same_history(bench: ModuleType) -> None:
    history = bench.generate(bench.Shape(5, 200, 0.2, 3, True))
    again = bench.decoded(bench.encoded(history))
    told = [(o.f, o.argument, o.result, o.invoked, o.returned) for o in history]
    assert [(o.f, o.argument, o.result, o.invoked, o.returned) for o in again] == told


def test_histories_keep_all_clients_busy(bench: ModuleType) -> None:
    history = bench.generate(bench.Shape(10, 2_000))
    begun = sorted(operation.invoked for operation in history)
    ended = sorted(operation.returned for operation in history)
    open_then = [at + 1 - sum(end < start for end in ended) for at, start in enumerate(begun)]
    assert max(open_then) == 10
    assert sum(open_then) / len(open_then) > 6


def result(name: str, **judges: tuple[str, float]) -> dict[str, Any]:
    told = {
        judge: {"verdict": v, "seconds": s, "cpu_s": 2 * s if judge == "porcupine" else s}
        for judge, (v, s) in judges.items()
    }
    return {"cell": name, "ambiguous": True, **told}


def test_a_contradiction_is_named_and_being_undecided_is_none(bench: ModuleType) -> None:
    agreeing = result("a", search=("pass", 1.0), porcupine=("Ok", 1.0))
    undecided = result("b", search=("fail", 1.0), porcupine=("Unknown", 60.0))
    wrong = result("c", search=("fail", 1.0), porcupine=("Ok", 1.0))
    assert bench.contradictions([agreeing, undecided]) == []
    assert bench.contradictions([agreeing, wrong]) == ["c: {'search': False, 'porcupine': True}"]


def test_the_mean_is_of_cells_that_porcupine_decided_and_of_all_as_a_bound(
    bench: ModuleType,
) -> None:
    results = [
        result("a", search=("pass", 0.4), porcupine=("Ok", 0.1)),
        result("b", search=("pass", 0.1), porcupine=("Ok", 0.1)),
        result("c", search=("pass", 0.6), porcupine=("Unknown", 60.0)),
    ]
    told = bench.summary(results, 60.0)["ambiguous"]
    assert told["decided"] == {"search": 3, "porcupine": 2}
    assert told["ours/porcupine"] == 2.0
    assert told["ours/porcupine, processor"] == 1.0
    assert told["ours/porcupine, undecided charged"] == pytest.approx((4 * 0.01) ** (1 / 3), 1e-3)
    assert (told["slowest_s"], told["slowest_cpu_s"]) == (0.6, 0.6)


def test_a_judge_that_dies_or_hangs_has_not_decided(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies = bench.Judge("dies", (sys.executable, "-c", "import sys; sys.exit('no such history')"))
    assert dies.judge(b"", 1.0)["verdict"] == "ended with 1: no such history"
    monkeypatch.setattr(bench, "GRACE_S", 0)
    hangs = bench.Judge("hangs", (sys.executable, "-c", "while True: pass"))
    assert hangs.judge(b"", 0.2)["verdict"] == "ended with -9: without a word"
