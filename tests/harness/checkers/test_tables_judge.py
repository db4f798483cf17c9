"""The judge of tables: as its definition says, by brute force, and in time for long runs."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from delphic.harness.check import check
from delphic.harness.evidence import Evidence
from delphic.harness.history import Call, validated
from delphic.harness.op import Op, OpType
from delphic.harness.verdict import Validity, Verdict

WORLDS = 1_500


class Run:
    """A history op by op, a millisecond each."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def add(self, process: int, type: OpType, f: str, key: str, value: Any = None) -> None:
        at = len(self.ops)
        self.ops.append(Op(at, at * 1_000_000, process, type, f, key, value, "n1"))

    def done(self, process: int, f: str, key: str, value: Any = None, result: Any = None) -> None:
        self.add(process, OpType.INVOKE, f, key, value)
        self.add(process, OpType.OK, f, key, result)

    @property
    def evidence(self) -> Evidence:
        return Evidence(validated(self.ops), ("n1", "n2", "n3"))


def judged(run: Run) -> Verdict:
    return check(run.evidence, ["tables"])[0]


def drawn(chance: random.Random) -> Run:
    """Three clients and one table that is made and dropped at once, and is now and then misread."""
    run = Run()
    error = chance.choice((0.0, 0.2, 0.6))
    held: int | None = None
    made = 0
    open_ones: dict[int, tuple[str, Any, Any]] = {}
    run.done(0, "make", "t0", 9)
    run.done(0, "drop", "t0")
    for _ in range(chance.randint(4, 24)):
        process = chance.randrange(3)
        if process in open_ones:
            f, value, result = open_ones.pop(process)
            kind = chance.choice((OpType.OK, OpType.OK, OpType.OK, OpType.INFO))
            refused = result == "refused"
            run.add(process, OpType.FAIL if refused else kind, f, "t0", result)
            continue
        f = chance.choice(("make", "drop", "scan", "scan"))
        value, result = None, None
        if f == "make":
            made += 1
            value, result = made, None if held is None else "refused"
            held = made if held is None else held
        elif f == "drop":
            result = "refused" if held is None else None
            held = None if chance.random() > error else held
        else:
            shown = chance.choice((None, *range(1, made + 1))) if chance.random() < error else held
            result = None if shown is None else {"made": shown, "rows": []}
        run.add(process, OpType.INVOKE, f, "t0", value)
        open_ones[process] = (f, value, result)
    return run


def end(call: Call) -> int:
    return (call.completion or call.invoke).index


def by_definition(calls: Sequence[Call]) -> set[str]:
    """Every making that was met, with every other sign and every drop."""
    drops = [c for c in calls if c.invoke.f == "drop" and c.outcome is not OpType.FAIL]
    signs: list[tuple[Call, int | None]] = []
    for call in calls:
        if call.outcome is OpType.OK and call.invoke.f == "make":
            signs.append((call, int(call.invoke.value)))
        elif call.outcome is OpType.OK and call.invoke.f == "scan":
            assert call.completion is not None
            value = call.completion.value
            signs.append((call, None if value is None else value["made"]))
    found = set()
    for before, made in signs:
        if made is None:
            continue
        for call, other in signs:
            if call.invoke.index < end(before):
                continue
            if other == made and any(
                d.outcome is OpType.OK
                and end(before) < d.invoke.index
                and end(d) < call.invoke.index
                for d in drops
            ):
                found.add("back")
            if other != made and not any(
                d.invoke.index < end(call)
                and (d.outcome is not OpType.OK or end(d) > before.invoke.index)
                for d in drops
            ):
                found.add("gone")
    return found


def test_makings_come_back_and_vanish_as_the_definition_says_by_brute_force() -> None:
    chance = random.Random(20261121)
    counted: Counter[str] = Counter()
    for _ in range(WORLDS):
        run = drawn(chance)
        verdict = judged(run)
        if verdict.validity is Validity.INCONCLUSIVE:
            continue
        kinds = verdict.details.get("kinds", {})
        shown = {"gone" if kind in ("vanished", "two-at-once") else kind for kind in kinds}
        assert shown == by_definition(run.evidence.history.calls())
        counted.update(shown or {"pass"})
    assert min(counted[kind] for kind in ("pass", "back", "gone")) > WORLDS / 50


def test_a_long_run_is_judged_in_time() -> None:
    """Near-linear; it was cubic, and a run of ten minutes would have taken hours."""
    run = Run()
    for made in range(1, 801):
        key = f"t{made % 2}"
        run.done(made % 5, "make", key, made)
        for row in range(3):
            run.done(row, "append", key, {"made": made, "rows": [4 * made + row]}, row)
            rows = [4 * made + number for number in range(row + 1)]
            run.done(4, "scan", key, None, {"made": made, "rows": rows})
        run.done(made % 5, "drop", key)
        run.done(4, "scan", key)
    began = time.process_time()
    verdict = judged(run)
    assert verdict.validity is Validity.PASS, verdict.sentence
    assert time.process_time() - began < 1
