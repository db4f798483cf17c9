"""Histories written by hand, for each anomaly that a monitor names and for what looks like one."""

from typing import Any

import pytest
from cases_collections import CASES as OF_COLLECTIONS
from cases_followers import CASES as OF_FOLLOWERS
from cases_keyed import CASES as OF_KEYS_AND_LOCKS
from cases_logs import CASES as OF_LOGS
from cases_register import CASES as OF_REGISTERS
from delphic.harness.checkers.monitors import element_set
from delphic.harness.checkers.operations import Ambiguous, Judgement
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.specs.register import starting_with
from delphic.harness.verdict import Validity
from fuzz_kinds import KINDS
from fuzz_oracle import linearizable
from written import Line, written

Case = tuple[str, str, list[Line]]
"""Specification; the anomaly, `pass` or `ambiguous`; the operations."""

CASES: list[Case] = [*OF_REGISTERS, *OF_LOGS, *OF_COLLECTIONS, *OF_KEYS_AND_LOCKS, *OF_FOLLOWERS]


MONITORED = [name for name, spec in SPECS.items() if spec.monitor and spec.partition]
"""Transactions, which are on all keys at once, have tests of their own."""


def judged(name: str, lines: list[Line], key: Any = None) -> Judgement | Ambiguous:
    monitor = SPECS[name].monitor
    assert monitor is not None
    return monitor(written(*lines, key=key))


@pytest.mark.parametrize(
    ("name", "expected", "lines"),
    CASES,
    ids=[f"{name}-{expected}-{at}" for at, (name, expected, _) in enumerate(CASES)],
)
def test_a_written_history_is_judged_as_it_should_be(
    name: str, expected: str, lines: list[Line]
) -> None:
    found = judged(name, lines, key="x")
    if expected == "ambiguous":
        assert isinstance(found, Ambiguous)
        assert found.keys == ("x",)
        assert found.reason
        return
    assert isinstance(found, Judgement)
    if expected == "pass":
        assert (found.validity, found.findings) == (Validity.PASS, ())
        assert found.statistics["answered"] > 0
        return
    assert found.validity is Validity.FAIL
    assert found.findings[0].anomaly == expected, found.sentence
    positions = {line[4] for line in lines}
    assert set(found.findings[0].witness) <= positions
    assert found.sentence.startswith("Key 'x': ")
    assert " s to " in found.sentence or "never answered" in found.sentence


@pytest.mark.parametrize(("name", "expected", "lines"), CASES)
def test_a_written_history_is_what_brute_force_says(
    name: str, expected: str, lines: list[Line]
) -> None:
    kind = KINDS[name]
    if expected != "ambiguous":
        assert kind.brute(kind.spec, written(*lines)) is (expected == "pass")


@pytest.mark.parametrize("name", MONITORED)
def test_every_anomaly_has_its_history_and_every_monitor_a_valid_one(name: str) -> None:
    shown = {expected for spec, expected, _ in CASES if spec == name}
    assert shown - {"ambiguous"} == {*SPECS[name].anomalies, "pass"}
    assert all(meaning.endswith(".") for meaning in SPECS[name].anomalies.values())


@pytest.mark.parametrize("name", MONITORED)
def test_a_history_without_operations_is_inconclusive(name: str) -> None:
    found = judged(name, [])
    assert isinstance(found, Judgement)
    assert found.validity is Validity.INCONCLUSIVE


def test_a_witness_is_told_with_times_nodes_and_values() -> None:
    lines: list[Line] = [
        (1, "write", 1, None, 0, 1),
        (2, "write", 2, None, 2, 3),
        (3, "read", None, 1, 4, 5),
    ]
    found = judged("register", lines)
    assert isinstance(found, Judgement)
    assert found.sentence == (
        "Read #4 by process 3 through n3 from 5.000 s to 6.000 s returned 1, but before it began "
        "write #2 of 2 by process 2 through n2 from 3.000 s to 4.000 s wrote 2, and it began after "
        "write #0 of 1 by process 1 through n1 from 1.000 s to 2.000 s wrote 1."
    )
    assert found.findings[0].witness == (0, 2, 4)
    assert found.findings[0].details["operations"][2]["node"] == "n3"


def test_each_wrong_key_has_its_finding_and_ambiguous_ones_are_named() -> None:
    monitor = SPECS["register"].monitor
    assert monitor is not None
    stale: list[Line] = [(1, "write", 1, None, 0, 1), (2, "read", None, None, 2, 3)]
    twice: list[Line] = [
        (1, "write", 1, None, 0, 1),
        (1, "write", 1, None, 2, 3),
        (2, "read", None, 1, 4, 5),
    ]
    fine: list[Line] = [(1, "write", 1, None, 0, 1), (2, "read", None, 1, 2, 3)]
    found = monitor(
        [
            operation
            for key, lines in {"a": stale, "b": twice, "c": fine, "d": stale}.items()
            for operation in written(*lines, key=key)
        ]
    )
    assert isinstance(found, Judgement)
    assert sorted(finding.details["key"] for finding in found.findings) == ["a", "d"]
    assert found.statistics["wrong_keys"] == 2
    left = monitor([*written(*twice, key="b"), *written(*fine, key="c")])
    assert isinstance(left, Ambiguous)
    assert left.keys == ("b",)


def test_positions_may_be_clock_readings() -> None:
    late = 1_700_000_000_000_000_000
    lines: list[Line] = [
        (1, "write", 1, None, late, late + 10),
        (2, "write", 2, None, late + 20, late + 30),
        (3, "read", None, 1, late + 40, late + 50),
    ]
    found = judged("register", lines)
    assert isinstance(found, Judgement)
    assert found.findings[0].witness == (late, late + 20, late + 40)


@pytest.mark.parametrize("far", [9, 1 << 40, 10**30])
def test_nothing_from_far_beyond_the_end_of_a_log_says_nothing(far: int) -> None:
    monitor = SPECS["log-poll"].monitor
    assert monitor is not None
    fine: list[Line] = [(1, "append", "a", 0, 0, 1), (2, "poll", [far, 5], [], 2, 3)]
    short: list[Line] = [*fine, (2, "poll", [0, 5], [], 4, 5)]
    beyond: list[Line] = [*fine, (2, "poll", [far, 5], ["a"], 4, 5)]
    logs = [fine] * 200 + [short, beyond]
    found = monitor([o for key, lines in enumerate(logs) for o in written(*lines, key=key)])
    assert isinstance(found, Judgement)
    told = {finding.details["key"]: finding.anomaly for finding in found.findings}
    assert told == {200: "lost", 201: "impossible-offset"}


def test_a_register_may_start_with_a_value() -> None:
    lines: list[Line] = [
        (1, "read", None, 0, 0, 1),
        (1, "cas", [0, 1], True, 2, 3),
        (2, "read", None, 1, 4, 5),
    ]
    zero = starting_with(SPECS["cas-register"], 0)
    assert zero.monitor is not None
    found = zero.monitor(written(*lines))
    assert isinstance(found, Judgement)
    assert found.validity is Validity.PASS
    assert linearizable(zero, written(*lines))
    without = judged("cas-register", lines)
    assert isinstance(without, Judgement)
    assert without.findings[0].anomaly == "phantom"


def test_too_many_cases_are_left_to_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[Line] = [
        (1, "add", "a", None, 0, 9),
        (2, "remove", "a", None, 1, 8),
        (3, "add", "a", None, 2, 7),
        (4, "contains", "a", True, 3, 4),
        (4, "contains", "a", False, 5, 6),
    ]
    found = judged("element-set", lines)
    assert isinstance(found, Judgement)
    assert found.validity is Validity.PASS
    monkeypatch.setattr(element_set, "CASES_MAX", 1)
    assert judged("element-set", lines) == Ambiguous(element_set.CROWDED, (None,))
