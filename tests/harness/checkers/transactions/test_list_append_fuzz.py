"""Random transactions against all permutations, and mistakes that this must find."""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from delphic.harness.checkers.operations import Judgement
from delphic.harness.checkers.search.cuts import forgotten
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.transactions import graph, list_append, observed, versions
from delphic.harness.verdict import Validity
from txn_drafts import Kind, Truth, drafts, orderless, snapshots

HISTORIES = int(os.environ.get("DELPHIC_FUZZ_HISTORIES", "4000"))
SPEC = SPECS["list-append"]


def append(held: dict[str, Any], key: str, number: int) -> tuple[str, str, int]:
    held[key] = (*held.get(key, ()), number)
    return "append", key, number


def misread(chance: random.Random, error: float, held: Any, last: int) -> tuple[int, ...]:
    right: tuple[int, ...] = held or ()
    if chance.random() >= error:
        return right
    wrong = list(right)
    match chance.choice(("stale", "swap", "swap", "hole", "hole", "alien", "twice")):
        case "stale":
            return right[: chance.randint(0, len(right))]
        case "swap":
            chance.shuffle(wrong)
        case "hole" if wrong:
            wrong.pop(chance.randrange(len(wrong)))
        case "alien":
            wrong.append(chance.randint(1, 12))
        case "twice":
            wrong += wrong[:1]
    return tuple(wrong)


KIND = Kind(append, misread)


def truths() -> list[Truth]:
    return drafts(SPEC.name, KIND, HISTORIES)


def disagreements() -> Iterator[tuple[Truth, set[str]]]:
    for truth in truths():
        operations, *known = truth
        found = list_append.judge(operations)
        if not isinstance(found, Judgement):
            assert found.reason == list_append.TWICE
            continue
        anomalies = {finding.anomaly for finding in found.findings}
        if [not found for found in (anomalies, *orderless(anomalies))] != known:
            yield truth, anomalies


def test_cycles_agree_with_all_permutations_by_brute_force() -> None:
    assert list(disagreements()) == []


def append_again(held: dict[str, Any], key: str, number: int) -> tuple[str, str, int]:
    return append(held, key, 1 + number % 3)


AGAIN = Kind(append_again, misread)


def test_elements_appended_twice_are_judged_rightly_or_not_at_all_by_brute_force() -> None:
    """Of what is wrong beside them, they may hide how wrong it is."""
    counted: Counter[str] = Counter()
    for operations, *known in drafts(SPEC.name, AGAIN, HISTORIES // 4):
        found = list_append.judge(operations)
        if not isinstance(found, Judgement):
            counted["ambiguous"] += 1
            continue
        anomalies = {finding.anomaly for finding in found.findings}
        counted.update(anomalies or {"pass"})
        assert bool(anomalies) is not known[0]
        for is_right, shown in zip(known, (anomalies, *orderless(anomalies)), strict=True):
            assert not (is_right and shown), (operations, anomalies)
    assert min(counted["ambiguous"], counted["pass"], counted["internal"]) > HISTORIES / 400


def snapshot_disagreements() -> list[Truth]:
    """Where the judge of snapshot isolation says what its definition does not."""
    assert SPEC.promising is not None
    monitor = SPEC.promising("snapshot-isolation").monitor
    assert monitor is not None
    wrong = []
    for truth, is_right in snapshots(SPEC.name, KIND, HISTORIES):
        found = monitor(truth.operations)
        if isinstance(found, Judgement) and (found.validity is not Validity.FAIL) is not is_right:
            wrong.append(truth)
    return wrong


def test_snapshot_isolation_agrees_with_its_definition_by_brute_force() -> None:
    assert snapshot_disagreements() == []
    of = [is_right for truth, is_right in snapshots(SPEC.name, KIND, HISTORIES) if not truth.serial]
    assert min(sum(of), len(of) - sum(of)) > HISTORIES / 500, "write skews, and what is worse"


def test_the_random_histories_are_of_every_kind() -> None:
    assert len({truth[1:] for truth in truths()}) == 4
    judged = [list_append.judge(truth.operations) for truth in truths()]
    findings = [f.anomaly for j in judged if isinstance(j, Judgement) for f in j.findings]
    aborted = [f for j in judged if isinstance(j, Judgement) for f in j.findings]
    assert any(f.anomaly == "G1a" and "certainly failed" in f.sentence for f in aborted)
    common = {
        "G1a",
        "dirty-update",
        "G1b",
        "G1c",
        "G-single",
        "G2-item",
        "internal",
        "incompatible-order",
    }
    assert common | {"lost-update", "duplicate-elements", "G-single-realtime"} <= set(findings)


def test_what_is_wrong_shows_by_its_witness() -> None:
    """All transactions but the witness's unanswered, it is still wrong."""
    for operations, strict, *_ in truths()[:800]:
        found = list_append.judge(operations)
        if strict or not isinstance(found, Judgement):
            continue
        for finding in found.findings:
            kept = [o if o.invoked in finding.witness else forgotten(o) for o in operations]
            again = list_append.judge(kept)
            assert isinstance(again, Judgement)
            assert again.validity is Validity.FAIL, finding


def nothing(*_: Any) -> Iterator[Any]:
    return iter(())


MALFORMED = versions.Versions.malformed


def only_twice(self: versions.Versions) -> Iterator[Any]:
    return (found for found in MALFORMED(self) if found.anomaly == "duplicate-elements")


def one_way_only(edges: Callable[..., Iterator[graph.Edge]], kind: int) -> Any:
    return lambda *given: (edge for edge in edges(*given) if edge.kind != kind)


MISTAKES: dict[str, tuple[Any, str, Any]] = {
    "no reads that missed a write": (
        versions.Versions, "edges", one_way_only(versions.Versions.edges, graph.RW)),
    "no writes after writes": (
        versions.Versions, "edges", one_way_only(versions.Versions.edges, graph.WW)),
    "no reads of writes": (
        versions.Versions, "edges", one_way_only(versions.Versions.edges, graph.WR)),
    "no real time": (graph, "_in_time", nothing),
    "no order of processes": (graph, "_in_process", nothing),
    "unanswered ones never happened": (versions.Versions, "seen", nothing),
    "half done is fine": (versions.Versions, "unfit", nothing),
    "reads in any order": (versions.Versions, "malformed", only_twice),
    "own order is not looked at": (versions.Versions, "_scrambled", nothing),
    "own reads are not looked at": (observed, "_read", lambda reads, key, mine, found: ""),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, instead = MISTAKES[mistake]
    monkeypatch.setattr(owner, name, instead)
    assert next(disagreements(), None) is not None


def test_a_mistake_about_neighbours_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_neighbours(self: graph.Graph, order: int) -> list[graph.Edge]:
        return self.cycle(graph.RW, graph.DEPENDENCIES | order)

    monkeypatch.setattr(graph.Graph, "apart", with_neighbours)
    assert snapshot_disagreements()
