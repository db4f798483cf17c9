"""Every monitor against brute force on random histories, and mistakes that this must find.

Thousands of small histories are judged at once, as so many keys of one large one. The brute force
knows the specification and nothing of the monitors. `DELPHIC_FUZZ_HISTORIES` asks for more than the
few thousand of every day, other ones with `DELPHIC_FUZZ_SEED`.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.checkers import monitors
from delphic.harness.checkers.operations import (
    UNKNOWN,
    Ambiguous,
    Finding,
    Judgement,
    Operation,
)
from delphic.harness.verdict import Validity
from fuzz_drafts import Kind, draw
from fuzz_kinds import KINDS
from fuzz_mistakes import MISTAKES

HISTORIES = int(os.environ.get("DELPHIC_FUZZ_HISTORIES", "3000"))
SEED = int(os.environ.get("DELPHIC_FUZZ_SEED", "20260131"))
BATCH = 3_000
OPERATIONS_MAX = 8

Drafts = dict[Any, list[Operation]]


@cache
def drafts(name: str, batch: int = 0) -> tuple[Drafts, frozenset[Any]]:
    """Some thousand histories by key, and the keys of those that are wrong."""
    kind = KINDS[name]
    chance = random.Random(f"{name} {SEED} {batch}")
    found = {key: draw(kind, chance, key, operations_max=OPERATIONS_MAX) for key in range(BATCH)}
    wrong = {key for key, operations in found.items() if not kind.brute(kind.spec, operations)}
    return found, frozenset(wrong)


def judged(kind: Kind, found: Drafts) -> tuple[dict[Any, list[Finding]], set[Any]]:
    """What the monitor says: the findings of wrong keys, and the keys that are ambiguous."""
    assert kind.spec.monitor is not None
    findings: dict[Any, list[Finding]] = {}
    answer = kind.spec.monitor([o for operations in found.values() for o in operations])
    if isinstance(answer, Judgement) and answer.validity is Validity.FAIL:
        for finding in answer.findings:
            findings.setdefault(finding.details["key"], []).append(finding)
        assert answer.sentence == answer.findings[0].sentence
        rest = [o for k, operations in found.items() if k not in findings for o in operations]
        answer = kind.spec.monitor(rest)
    if isinstance(answer, Ambiguous):
        return findings, set(answer.keys)
    assert answer.validity is not Validity.FAIL
    return findings, set()


def disagreements(name: str, batch: int = 0) -> list[tuple[bool, list[Operation]]]:
    """Histories that the monitor calls wrong and are not, and the other way round."""
    found, truth = drafts(name, batch)
    findings, ambiguous = judged(KINDS[name], found)
    return [
        (key in truth, found[key])
        for key in found
        if key not in ambiguous and (key in findings) is not (key in truth)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_the_monitor_agrees_with_brute_force(name: str) -> None:
    for batch in range(-(-HISTORIES // BATCH)):
        assert disagreements(name, batch) == []
        if batch:
            drafts.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_the_histories_are_worth_the_name(name: str) -> None:
    found, truth = drafts(name)
    findings, ambiguous = judged(KINDS[name], found)
    assert 0.1 < len(truth) / len(found) < 0.75
    assert len(ambiguous) < 0.5 * len(found)
    assert any(not operations for operations in found.values())
    everything = [o for operations in found.values() for o in operations]
    assert {KINDS[name].spec.misfit(operation) for operation in everything} == {None}
    assert {o.f for o in everything if o.is_open} == {o.f for o in everything}
    assert any(len({o.invoked for o in ops}) < len(ops) for ops in found.values())
    kinds = Counter(finding.anomaly for told in findings.values() for finding in told)
    assert len(kinds) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_witness_alone_shows_what_is_wrong(name: str) -> None:
    """Nothing is known of the others any more, and still no order explains its answers."""
    kind = KINDS[name]
    found, _ = drafts(name)
    findings, _ = judged(kind, found)
    checked = counted = 0
    for key, told in findings.items():
        for finding in told:
            assert 1 <= len(finding.witness) <= 4
            assert finding.sentence[0].isupper() or not finding.sentence[0].isalpha()
            assert finding.sentence.endswith(".")
            if finding.anomaly not in kind.counting:
                assert not kind.brute(kind.spec, only(finding.witness, found[key])), finding
                checked += 1
            else:
                counted += 1
    assert checked + counted > 100
    assert checked > 100 or kind.counting == kind.spec.anomalies.keys()


def only(witness: tuple[int, ...], operations: list[Operation]) -> list[Operation]:
    """The history with all operations open that do not belong to the witness."""
    return [
        o
        if o.invoked in witness
        else msgspec.structs.replace(o, result=UNKNOWN, returned=None, returned_ns=None)
        for o in operations
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module", "function", "mistake"),
    MISTAKES,
    ids=[f"{name}-{mistake.__name__}" for name, _, _, mistake in MISTAKES],
)
def test_a_mistake_in_the_monitor_is_found(
    name: str,
    module: Any,
    function: str,
    mistake: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, function, mistake)
    assert disagreements(name)


def test_there_is_a_mistake_for_every_monitor() -> None:
    assert {name for name, *_ in MISTAKES} == set(KINDS)


def test_there_is_a_mistake_in_every_file_that_decides_anything() -> None:
    found = {path.stem for path in Path(monitors.__path__[0]).glob("*.py")}
    words = {name for name in found if name.endswith("prose")}
    mistaken = {module.__name__.split(".")[-1] for _, module, _, _ in MISTAKES} | {
        getattr(module, function).__module__.split(".")[-1] for _, module, function, _ in MISTAKES
    }
    assert found - words - {"__init__"} <= mistaken
