"""Reads that missed many writes: the few edges say what one for each pair would, and no more."""

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, islice, pairwise
from typing import Any

import pytest
import test_list_append_fuzz
import test_rw_register
from delphic.harness.checkers import check
from delphic.harness.checkers.operations import Ambiguous, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.transactions import (
    graph,
    list_append,
    missed,
    rw_register,
    versions,
)
from delphic.harness.checkers.transactions.graph import (
    DEPENDENCIES,
    LINK,
    ORDERS,
    PROCESS,
    RW,
    TIME,
    WR,
    WW,
    Edge,
    Graph,
    in_order,
    reached,
)
from delphic.harness.checkers.transactions.models import TARGETS
from txn_drafts import SEED, draw, operation

HISTORIES = int(os.environ.get("DELPHIC_FUZZ_HISTORIES", "200"))
KINDS = {"list-append": test_list_append_fuzz.KIND, "rw-register": test_rw_register.KIND}
WRITE = {"list-append": "append", "rw-register": "w"}


def always(readers: int, writes: int) -> bool:
    return True


def never(readers: int, writes: int) -> bool:
    return False


def one_by_one(reads: int, both: int, writes: int, write: str) -> list[Operation]:
    """So many that read nothing of x, that read nothing and write, and that write."""
    read = (("r", "x", None),) * 2
    drawn = []
    for at in range(reads + both + writes):
        parts = [read] if at < reads + both else []
        parts += [((write, "x", at),) * 2] if at >= reads else []
        drawn.append(operation((1, parts, 2 * at, 2 * at + 1)))
    return drawn


def of_lists(operations: list[Operation]) -> Iterator[Edge]:
    keys = list_append._keys([list_append.unfolded(one)[0] for one in operations])
    everybody = frozenset(range(len(operations)))
    return keys["x"].edges(everybody, count(2 * len(operations)))


def of_registers(operations: list[Operation]) -> Iterator[Edge]:
    found = rw_register.Registers(operations)
    writers = [at for at in range(len(operations)) if found.last[at]]
    return found.edges({"x": writers}, count(2 * len(operations)))


@pytest.mark.parametrize("drawn", [(2_000, 0, 2_000), (0, 2_000, 0), (1_000, 1_000, 1_000)])
def test_edges_are_not_as_many_as_reads_times_writes(drawn: tuple[int, int, int]) -> None:
    for edges in (
        of_lists(one_by_one(*drawn, "append")),
        of_registers(one_by_one(*drawn, "w")),
    ):
        assert len(list(islice(edges, 12_001))) <= 12_000


def test_nodes_never_cost_edges_and_stand_for_every_pair() -> None:
    counted: Counter[bool] = Counter()
    for readers in range(14):
        for writes in range(14):
            for both in range(min(readers, writes) + 1):
                wrote = [(readers - both + at, at) for at in range(writes)]
                edges = list(missed.missed(range(readers), wrote, "x", None, count(100)))
                pairs = readers * writes - both
                assert sum(edge.stands_for for edge in edges if edge.kind != LINK) == pairs
                assert len(edges) <= pairs
                counted[len(edges) < pairs] += 1
    assert min(counted.values()) > 100


def drawn_graph(chance: random.Random) -> tuple[list[Operation], list[Edge], list[Edge]]:
    """Transactions; what depends on what, one edge for each pair; and the same with nodes."""
    times = [sorted(chance.sample(range(40), 2)) for _ in range(chance.randint(2, 8))]
    every = sorted(times)
    operations = [
        operation((chance.randint(1, 3), [(("r", "x", None),) * 2], a, b)) for a, b in every
    ]
    places = range(len(operations))
    plain = []
    for _ in range(chance.randint(0, len(places))):
        source, target = chance.sample(places, 2)
        plain.append(Edge(source, target, chance.choice((WW, WR, WR, RW)), "z", 1))
    found = plain, list(plain)
    fresh = count(2 * len(operations))
    for key in "xy"[: chance.randint(1, 2)]:
        readers = chance.sample(places, chance.randint(0, min(4, len(places))))
        writers = chance.sample(places, chance.randint(0, min(4, len(places))))
        wrote = [(at, f"{key}{at}") for at in writers]
        for edges, is_shorter in zip(found, (never, always), strict=True):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(missed, "is_shorter", is_shorter)
                edges += missed.missed(readers, wrote, key, chance.choice(places), fresh)
    return operations, *found


def is_right(cycle: Sequence[Edge], pairs: Sequence[Edge], operations: list[Operation]) -> bool:
    """Whether each edge is one that is known, from where the one before it led."""
    met = all(one.target == other.source for one, other in pairwise([*cycle, *cycle[:1]]))
    named = {(edge.source, edge.target, edge.kind, edge.key, edge.first) for edge in pairs}
    for edge in cycle:
        one, other = operations[edge.source], operations[edge.target]
        if edge.kind in (PROCESS, TIME):
            met &= one.end < other.invoked and edge.stands_for == 1
            met &= edge.kind == TIME or one.process == other.process
        else:
            met &= (edge.source, edge.target, edge.kind, edge.key, edge.first) in named
    return met


def test_a_graph_with_nodes_is_that_of_pairs_by_brute_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph, "SHORTEST_OF", 10_000)
    chance = random.Random(SEED)
    counted: Counter[Any] = Counter()
    for _ in range(HISTORIES):
        operations, pairs, few = drawn_graph(chance)
        one, other = Graph(operations, pairs), Graph(operations, few)
        groups = [chance.sample(range(len(operations)), 2) for _ in range(2)]
        for order in ORDERS.values():
            assert one.tangled(groups, order) is other.tangled(groups, order)
            kinds = DEPENDENCIES | order
            first, second = in_order(operations, pairs, kinds), in_order(operations, few, kinds)
            known = range(len(operations))
            assert (first is None) is (second is None)
            if first is not None and second is not None:
                assert [at for at in first if at in known] == [at for at in second if at in known]
                after, again = reached(operations, pairs, kinds), reached(operations, few, kinds)
                assert after is not None
                assert again is not None
                assert after[: len(known)] == again[: len(known)]
            for kind, rest in ((WW, WW), (WR, WW | WR), (RW, WW | WR), (RW, WW | WR | RW)):
                cycle = other.cycle(kind, rest | order)
                assert len(cycle) == len(one.cycle(kind, rest | order))
                assert is_right(cycle, pairs, operations)
                assert all(edge.kind & (rest | order) for edge in cycle[1:])
                counted[kind, rest, bool(cycle)] += 1
            cycle = other.apart(order)
            assert len(cycle) == len(one.apart(order))
            assert is_right(cycle, pairs, operations)
            reads = [edge.kind == RW for edge in [*cycle, *cycle[:1]]]
            assert not any(a and b for a, b in pairwise(reads))
            counted["apart", bool(cycle)] += 1
    assert len(counted) == 10
    assert min(counted.values()) > HISTORIES / 20


def told(spec: str, operations: list[Operation], model: str) -> Any:
    """What is said of a history, but for which of several cycles is told."""
    promising = SPECS[spec].promising
    assert promising is not None
    monitor = promising(model).monitor
    assert monitor is not None
    found = monitor(operations)
    if isinstance(found, Ambiguous):
        return found
    findings = [(one.anomaly, one.details.get("length")) for one in found.findings]
    return found.validity, findings, found.statistics


def differences(spec: str, models: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """Histories of which nodes say something else, one model for each."""
    chance = random.Random(SEED)
    for number in range(HISTORIES):
        operations = draw(chance, KINDS[spec], 6 if number % 2 else 12)
        model = models[number % len(models)]
        said = []
        for is_shorter in (never, always):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(missed, "is_shorter", is_shorter)
                said.append(told(spec, operations, model))
        if said[0] != said[1]:
            yield said[0], said[1]


@pytest.mark.parametrize("spec", sorted(KINDS))
def test_histories_are_judged_alike_with_nodes_and_without_by_brute_force(spec: str) -> None:
    assert list(differences(spec, TARGETS)) == []


def through_one_node(
    readers: Sequence[int],
    writes: missed.Writes,
    key: Any,
    shown_by: int | None,
    fresh: Iterator[int],
) -> Iterator[Edge]:
    if not writes or not missed.is_shorter(1, 1):
        yield from missed.missed(readers, writes, key, shown_by, fresh)
        return
    node = next(fresh)
    yield from (Edge(at, node, RW, key) for at in readers)
    yield from (Edge(node, at, LINK, key, what, shown_by=shown_by) for at, what in writes)


@pytest.mark.parametrize("spec", sorted(KINDS))
def test_one_node_for_all_would_be_wrong(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "missed", through_one_node)
    monkeypatch.setattr(rw_register, "missed", through_one_node)
    assert next(differences(spec, ["serializable"]), None) is not None


@pytest.mark.parametrize("spec", sorted(KINDS))
def test_a_cycle_through_nodes_names_transactions_and_the_key(spec: str) -> None:
    many = one_by_one(40, 0, 40, WRITE[spec])
    late = operation((2, [(("r", "x", None),) * 2], 200, 201))
    found = check([*many, late], spec)
    assert found.statistics["dependencies"] == 41 * 40
    assert [finding.details["keys"] for finding in found.findings] == [["x"]]
    did = "appended" if spec == "list-append" else "wrote"
    assert found.sentence == (
        "G-single-realtime, a cycle of 2 transactions: txn #200 by process 2 from 201.000 s to "
        "202.000 s came before txn #80 by process 1 from 81.000 s to 82.000 s, for it read key "
        f"'x' without 40, which that {did}; #80 came before #200, for it had returned before that "
        "began. So it is not strong-consistent-view."
    )
