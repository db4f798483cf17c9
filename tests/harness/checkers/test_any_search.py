"""The search for any specification: against brute force, its bounds, its words, its mistakes."""

import dataclasses
import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.checkers.search import (
    ahead,
    compiled,
    cuts,
    judge,
    local,
    objects,
    plain,
    problem,
    solve,
    tables,
)
from delphic.harness.checkers.search.judge import search
from delphic.harness.checkers.search.order import fault
from delphic.harness.checkers.search.outcome import Outcome
from delphic.harness.checkers.search.plain import PlainSearch
from delphic.harness.checkers.search.problem import Problem
from delphic.harness.checkers.search.spending import Spending
from delphic.harness.checkers.search.steps import Steps
from delphic.harness.checkers.search.tables import closed
from delphic.harness.checkers.specs import SPECS, Spec
from delphic.harness.evidence import Budget
from delphic.harness.verdict import Validity
from drafts import Repertoire, draft, is_linearizable, register

HISTORIES = int(os.environ.get("DELPHIC_FUZZ_HISTORIES", "3000"))
SEED = int(os.environ.get("DELPHIC_FUZZ_SEED", "1"))

REGISTERS = tuple(register(values) for values in (1, 2, 3))

Engine = Callable[[Problem, Spec], Outcome]


def by_python(found: Problem, spec: Spec) -> Outcome:
    spending = Spending(Budget(seconds=60))
    return PlainSearch(found, Steps(spec, spending), spec.reads, spending).run()


def by_tables(found: Problem, spec: Spec) -> Outcome:
    spending = Spending(Budget(seconds=60))
    steps = Steps(spec, spending)
    for operation in (*found.known, *found.open):
        steps.class_of(operation)
    made = closed(steps, spending)
    assert made is not None
    return compiled.CompiledSearch(found, steps, made, spending).run()


ENGINES = (by_python, by_tables)


def histories(
    count: int = HISTORIES, repertoires: tuple[Repertoire, ...] = REGISTERS, **shape: Any
) -> Iterator[tuple[list[Operation], Spec]]:
    chance = random.Random(SEED)
    for _ in range(count):
        repertoire = chance.choice(repertoires)
        yield draft(chance, repertoire, **shape), repertoire.spec


def is_wrong(engine: Engine, operations: list[Operation], spec: Spec) -> str | None:
    """What is wrong with an engine's answer, if anything is."""
    outcome = engine(Problem.of(operations, spec), spec)
    assert outcome.limit is None
    if outcome.is_refuted:
        return "refuted" if is_linearizable(operations, spec) else None
    assert outcome.order is not None
    return fault(outcome.order(), operations, spec)


def read(process: int, value: Any, invoked: int, returned: int) -> Operation:
    return Operation(process, "read", None, None, value, invoked, returned)


def write(process: int, value: Any, invoked: int, returned: int | None) -> Operation:
    result = UNKNOWN if returned is None else None
    return Operation(process, "write", None, value, result, invoked, returned)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_it_agrees_with_brute_force_and_its_orders_explain_every_answer(engine: Engine) -> None:
    truths = set()
    for operations, spec in histories():
        assert is_wrong(engine, operations, spec) is None, operations
        truths.add(is_linearizable(operations, spec))
    assert truths == {True, False}


@pytest.mark.slow
def test_what_is_refuted_is_refuted_up_to_the_operation_that_is_named() -> None:
    refuted = 0
    for operations, spec in histories(500, operations=30, clients=6, lies=0.05):
        found = Problem.of(operations, spec)
        python, compiled_one = (engine(found, spec) for engine in ENGINES)
        assert python.is_refuted == compiled_one.is_refuted
        if python.is_refuted:
            refuted += 1
            assert compiled_one.placed >= python.placed
            before = Problem.of(cut(found, python.placed - 1), spec)
            assert not by_python(before, spec).is_refuted
            assert by_python(Problem.of(cut(found, python.placed), spec), spec).is_refuted
    assert refuted > 20


def cut(found: Problem, rank: int) -> list[Operation]:
    """What had happened when the operation of a rank returned; -1: nothing."""
    horizon = found.returns[rank] if rank >= 0 else -1
    began = [o for o in (*found.known, *found.open) if o.invoked < horizon]
    return [o if o.end <= horizon else cuts.unended(o) for o in began]


def close_reason(found: Problem, stuck: int, spec: Spec) -> tuple[Operation, ...] | None:
    spending = Spending(Budget(seconds=60))
    return local.Locality(found, stuck, spec, Steps(spec, spending)).reason(spending, 10_000)


def is_wrong_about_reasons(operations: list[Operation], spec: Spec) -> bool:
    """Whether it finds a reason somewhere in a history in which nothing is wrong."""
    found = Problem.of(operations, spec)
    return is_linearizable(operations, spec) and any(
        close_reason(found, stuck, spec) is not None for stuck in range(len(found.known))
    )


def begun_at_the_beginning(steps: Steps, spending: Spending) -> Any:
    """Tables that know the initial state only, where those from any state are wanted."""
    found = closed(steps, spending)
    assert found is not None
    after = np.where(found.after[:1] == 0, 0, -1).astype(np.int32)
    return dataclasses.replace(found, after=after)


@pytest.mark.slow
def test_a_reason_close_by_is_found_where_something_is_wrong_and_nowhere_else() -> None:
    found = 0
    for operations, spec in histories(250, operations=10, lies=0.2):
        assert not is_wrong_about_reasons(operations, spec)
        outcome = by_python(Problem.of(operations, spec), spec)
        if outcome.is_refuted:
            reason = close_reason(Problem.of(operations, spec), outcome.placed, spec)
            found += reason is not None
    assert found > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("doubtful", lambda operation: operation),
        ("closed", begun_at_the_beginning),
    ],
)
def test_a_bug_in_the_search_for_reasons_is_found(
    name: str, mutant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, name, mutant)
    assert any(is_wrong_about_reasons(*history) for history in histories(500, operations=10))


def everything_is_known(self: Any, at: Any) -> bool:
    return bool(at.low >= 2)


def memo_forgets_the_state(self: Any, at: Any) -> bool:
    key = (at.low, at.moved, 0)
    if key in self._memo:
        return True
    self._memo[key] = []
    return False


def all_is_allowed(self: Any, low: int) -> tuple[int, ...]:
    return tuple(range(low, len(self._problem.known)))


def one_slot_for_all(intervals: Any) -> list[int]:
    return [0] * len(intervals)


WINDOWS = compiled.kernel.windows


def windows_without_invocations(invoked: Any, *rest: Any) -> None:
    WINDOWS(invoked * 0, *rest)


def kinds_hide_each_other(kinds: Any) -> Any:
    return np.arange(len(kinds), dtype=np.int32) - 1


def counts_are_forgotten(self: Any, counts: Any, first_word: int) -> None:
    LANES(self, counts, first_word)
    self.mask[:] = 0


LANES = compiled.Lanes.__init__


def nothing_leads_there(legal: Any, columns: Any, wanted: Any) -> Any:
    return np.zeros((len(legal), len(columns)), dtype=np.bool_)


def all_are_twins(whole: Any) -> Any:
    return np.minimum(whole[:1], 0)


MUTANTS: list[tuple[Engine, Any, str, Any]] = [
    (by_python, plain.PlainSearch, "_is_known", everything_is_known),
    (by_python, plain.PlainSearch, "_is_known", memo_forgets_the_state),
    (by_python, problem.Windows, "window", all_is_allowed),
    (by_python, plain, "slots", one_slot_for_all),
    (by_tables, compiled.kernel, "windows", windows_without_invocations),
    (by_tables, compiled, "slots", one_slot_for_all),
    (by_tables, compiled, "previous_of_kind", kinds_hide_each_other),
    (by_tables, compiled.Lanes, "__init__", counts_are_forgotten),
    (by_tables, ahead, "_makes", nothing_leads_there),
    (by_tables, tables, "_without_twins", all_are_twins),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "module", "name", "mutant"),
    MUTANTS,
    ids=[f"{engine.__name__}-{mutant.__name__}" for engine, _, _, mutant in MUTANTS],
)
def test_a_bug_in_a_search_is_found(
    engine: Engine, module: Any, name: str, mutant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_noticed(operations: list[Operation], spec: Spec) -> bool:
        try:
            return is_wrong(engine, operations, spec) is not None
        except (AssertionError, StopIteration):
            return True

    monkeypatch.setattr(module, name, mutant)
    assert any(is_noticed(*history) for history in histories())


def test_an_order_is_not_believed_without_being_held_against_the_history() -> None:
    spec = SPECS["register"]
    first, second = write(0, 1, 0, 1), read(1, 1, 2, 3)
    assert fault([first, second], [first, second], spec) is None
    assert fault([second, first], [first, second], spec) == ("operation 2 was answered otherwise")
    third = write(2, 1, 4, 5)
    late = "operation 0 comes after one that began when it had returned"
    assert fault([third, first], [first, third], spec) == late
    assert fault([first], [first, second], spec) == "operation 2 is not placed"
    assert fault([first, first], [first, second], spec) == (
        "operation 0 is placed twice or is none of them"
    )


def test_a_stale_read_is_told_with_the_write_that_it_missed() -> None:
    history = [
        write(0, 1, 0, 1),
        write(1, 2, 2, 3),
        write(2, 3, 4, None),
        read(0, 2, 5, 6),
        read(1, 1, 7, 8),
    ]
    judgement = search(history, SPECS["register"])
    assert judgement.validity is Validity.FAIL
    assert judgement.sentence == (
        "No order explains all answers: read #7 by process 1 (answered at #8) returned 1, and fits "
        "nowhere beside write #0 of 1 by process 0 (answered at #1) returned None; "
        "write #2 of 2 by process 1 (answered at #3) returned None."
    )
    assert judgement.findings[0].witness == (0, 2, 7)
    assert judgement.findings[0].details["stuck"] == 7
    assert judgement.findings[0].details["verified_below"] == 8


@pytest.mark.slow
def test_what_is_told_of_a_violation_is_one_by_itself_and_nothing_less_is() -> None:
    violations = 0
    for operations, spec in histories(400, operations=12, lies=0.15):
        judgement = search(operations, spec)
        assert judgement.validity in (Validity.PASS, Validity.FAIL)
        if judgement.validity is Validity.PASS:
            continue
        violations += 1
        witness = set(judgement.findings[0].witness)
        told = [operation for operation in operations if operation.invoked in witness]
        assert not is_linearizable(told, spec)
        for without in told:
            rest = [o if o in told and o is not without else cuts.forgotten(o) for o in operations]
            assert is_linearizable(rest, spec)
    assert violations > 50


def many_writes(count: int) -> list[Operation]:
    """Writes at once that nobody can order so that a value is read which nobody wrote."""
    writes = [write(at, at, at, 1000 + at) for at in range(count)]
    return [*writes, read(count, -1, 2000, 2001)]


@pytest.mark.parametrize(
    ("budget", "limit", "position"),
    [
        (Budget(configurations=50), "50 configurations", 2011),
        (Budget(memory_mib=0), "0 MiB of memory", 1),
        (Budget(seconds=-1.0), "-1 s", 2011),
    ],
)
def test_out_of_its_budget_it_says_up_to_where_all_is_explained(
    budget: Budget, limit: str, position: int
) -> None:
    early = [write(0, 7, 0, 1), read(1, 7, 2, 3)]
    late = [
        msgspec.structs.replace(o, invoked=o.invoked + 10, returned=o.end + 10)
        for o in many_writes(10)
    ]
    judgement = search([*early, *late], SPECS["register"], budget)
    assert judgement.validity is Validity.UNKNOWN
    assert judgement.decided_up_to == position
    assert judgement.sentence == (
        f"Linearizable up to #{position}: some order explains all that returned before; the rest "
        f"was left undecided at {limit}."
    )


def contradiction(count: int) -> list[Operation]:
    """Writes at once, all read meanwhile; in the end two values are read one after the other."""
    writes = [write(at, at, at, 1000 + at) for at in range(count)]
    reads = [read(count + at, at, 100 + at, 1100 + at) for at in range(count)]
    return [*writes, *reads, read(0, 0, 2000, 2001), read(0, 1, 2002, 2003)]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_every_limit_is_honoured_inside_the_loop(engine: Engine) -> None:
    hard = Problem.of(contradiction(20), SPECS["register"])
    times = iter(range(1000))
    for budget in (
        Budget(seconds=60, configurations=30_000),
        Budget(seconds=60, configurations=1 << 40, memory_mib=8),
        Budget(seconds=20, configurations=1 << 40, clock=lambda: float(next(times))),
    ):
        spending = Spending(budget)
        steps = Steps(SPECS["register"], spending)
        found = limited(engine, hard, steps, spending)
        assert found.order is None
        assert found.limit is not None
    assert spending.configurations < 100 * compiled.SLICE


def limited(engine: Engine, hard: Problem, steps: Steps, spending: Spending) -> Outcome:
    """An engine's outcome within a budget of its own."""
    if engine is by_python:
        return PlainSearch(hard, steps, frozenset({"read"}), spending).run()
    for operation in hard.known:
        steps.class_of(operation)
    made = closed(steps, Spending(Budget(seconds=60)))
    assert made is not None
    return compiled.CompiledSearch(hard, steps, made, spending).run()


def on_key(key: str, operations: list[Operation]) -> list[Operation]:
    return [msgspec.structs.replace(operation, key=key) for operation in operations]


def test_objects_are_judged_apart_and_the_wrong_one_is_named() -> None:
    history = [*on_key("x", [write(0, 1, 0, 1)]), *on_key("y", [read(0, 1, 2, 3)])]
    judgement = search(history, SPECS["register"])
    assert judgement.validity is Validity.FAIL
    assert judgement.sentence.startswith("Key 'y': no order explains all answers")
    assert judgement.statistics["objects"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_hard_objects_are_searched_side_by_side_until_one_is_wrong(
    processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "CONFIGURATIONS_FIRST", 1)
    monkeypatch.setattr(solve, "CONFIGURATIONS_FIRST", 1)
    right, wrong = contradiction(5)[:-1], contradiction(5)
    for last, validity in ((wrong, Validity.FAIL), (right, Validity.PASS)):
        history = [
            o
            for key, own in zip("abc", (right, right, last), strict=True)
            for o in on_key(key, own)
        ]
        judgement = search(history, SPECS["register"], Budget(seconds=60), processes=processes)
        assert judgement.validity is validity
        assert len(judgement.findings) == (validity is Validity.FAIL)
        assert judgement.statistics["configurations"] > 3 * 5
    short = Budget(seconds=60, configurations=4)
    history = [o for key in "abc" for o in on_key(key, contradiction(9))]
    judgement = search(history, SPECS["register"], short, processes=processes)
    assert judgement.validity is Validity.UNKNOWN
    assert "(and 2 other objects)" in judgement.sentence
    assert multiprocessing.active_children() == []


def test_an_order_that_is_none_is_a_bug_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [write(0, 1, 0, 1)]
    monkeypatch.setattr(objects, "solve", lambda *_: Outcome(1, order=lambda: ()))
    with pytest.raises(AssertionError, match="an order that is none: operation 0 is not placed"):
        search(history, SPECS["register"])


def test_states_without_end_are_searched_without_tables() -> None:
    count = Spec(
        name="tally",
        about="It only counts.",
        operations=(),
        initial=lambda: 0,
        step=lambda state, f, argument, result: state + 1,
    )
    history = [write(at, at, at, 20 + at) for at in range(10)]
    spending = Spending(Budget())
    steps = Steps(count, spending)
    for operation in history:
        steps.class_of(operation)
    assert closed(steps, spending) is None
    assert search(history, count).validity is Validity.PASS


def test_what_differs_in_type_only_is_asked_twice() -> None:
    spending = Spending(Budget())
    steps = Steps(SPECS["register"], spending)
    classes = {steps.class_of(write(0, value, 0, 1)) for value in (1, True, 1.0, (1,), (True,))}
    assert len(classes) == 5
    assert steps.class_of(write(3, (True,), 5, 6)) in classes


def test_states_that_nothing_tells_apart_are_one() -> None:
    history = [write(at, at, at, 100 + at) for at in range(50)]
    spending = Spending(Budget())
    steps = Steps(SPECS["register"], spending)
    kinds = [steps.class_of(operation) for operation in (*history, read(50, 7, 200, 201))]
    made = closed(steps, spending)
    assert made is not None
    # 7, which is read, and any other value; and so there are two kinds of writes, and the read.
    assert made.after.shape == (2, 3)
    assert len({int(made.kind_of[kind]) for kind in kinds}) == 3
    assert made.is_read.sum() == 1


@pytest.mark.slow
def test_the_time_that_loading_takes_is_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def slow() -> None:
        now[0] += 1000.0

    monkeypatch.setattr(compiled, "load", slow)
    monkeypatch.setattr(solve, "OPERATIONS_FIRST", -1)
    history = [write(0, 1, 0, 1), read(1, 1, 2, 3)]
    judgement = search(history, SPECS["register"], Budget(seconds=1.0, clock=lambda: now[0]))
    assert judgement.validity is Validity.PASS
    assert now == [1000.0]


def test_a_reason_of_too_many_operations_is_told_by_the_one_that_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judge, "WITNESS_MAX", 2)
    history = [write(0, 1, 0, 1), write(1, 2, 2, 3), read(1, 1, 7, 8)]
    judgement = search(history, SPECS["register"])
    assert judgement.findings[0].witness == (7,)
    assert "write #0" in judgement.sentence
    unexplained = search(history, SPECS["register"], explain=False)
    assert unexplained.findings[0].witness == (7,)
    assert unexplained.sentence.endswith("returned 1, and fits nowhere.")
