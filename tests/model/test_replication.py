"""Two clusters: the recommended way holds, others break what they are said to break."""

from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from delphic.model.actor import Bag, Fifo, Kind, Model, Network
from delphic.model.cli import explore_command
from delphic.model.explore.explorer import explore
from delphic.model.explore.naive import explore_naively
from delphic.model.explore.result import Result
from delphic.model.replication_group import replication
from delphic.model.replication_mutants import REPLICATION_MUTANTS, ReplicationMutant
from delphic.model.replication_rules import Failures, Options, Rules
from delphic.model.replication_types import Status

ONE = Options(writes=1, attempts=1, limit=1)


def counts(result: Result) -> tuple[int, int, int]:
    return result.states, result.transitions, result.depth


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        Options(writes=1, sync=False, crashes=1, deletes=1, skips=1),
        Options(writes=1, stops=1, starts=1, skips=1, failovers=1, poisons=1),
        Options(writes=1, definitions=1, chunks=2, attempts=1, limit=1, orders=2),
        Options(chunks=2, nodes=2, attempts=1, limit=1),
        replace(ONE, created=False, flags=2),
        replace(ONE, controllers=2, elections=1, strangers=True, clients=1, stops=1),
        replace(ONE, slaves=2, stops=1),
    ],
    ids=["task data", "operators", "master", "nodes", "flags", "controllers", "two slaves"],
)
def test_the_recommended_way_holds(options: Options) -> None:
    """PR-1 to PR-31, and all that should happen does; more is in golden.json."""
    result = explore(replication(options))
    assert result.violation is None
    assert result.holds, (result.unreached, result.never_fired, result.eventually)
    assert not any(each.skipped for each in result.eventually)


def thirty(limit: int = 30, rules: Rules | None = None) -> Model:
    """One task whose attempts may all fail, counted to the number that the tutorial names."""
    return replication(Options(writes=1, limit=limit, attempts=30), Bag(1), rules)


def steps(failures: int) -> int:
    """Eight until the task is pulled; for each attempt it is dispatched, its message is lost, it is
    given up; the last message need not be lost.
    """
    return 8 + 3 * failures - 1


@pytest.mark.slow
def test_the_thirtieth_failure_in_a_row_stops_a_slave_and_no_other_does() -> None:
    """PR-9, PR-27: each attempt is a step of its own; the ledger counts them, too."""
    result = explore(thirty())
    assert result.violation is None
    assert result.complete
    assert result.reached["a slave is stopped by failures"] == steps(30)
    assert not result.never_fired


@pytest.mark.slow
@pytest.mark.parametrize("off", [-1, 1])
def test_the_ledger_tells_thirty_from_its_neighbours(off: int) -> None:
    def counts_wrongly(o: Options, s: Any, slot: Any) -> Any:
        slot = slot._replace(fails=slot.fails + 1)
        return s, slot, slot.fails - off

    found = explore(thirty(rules=Rules(charged=counts_wrongly))).violation
    assert found is not None
    assert found.property == "fails-at-the-limit"
    assert len(found.path) == steps(min(30, 30 + off))


def test_a_crash_may_take_task_data_that_is_not_persisted_synchronously() -> None:
    """PR-20: it is seen: the task fails, the slave is stopped, and never is it called finished."""
    result = explore(replication(Options(writes=1, sync=False, crashes=1)))
    assert result.reached["data is lost in a crash, and the slave stops"] > 0
    assert result.violation is None
    names = [p.name for p in replication(Options()).properties]
    assert "data is lost in a crash, and the slave stops" not in names


def test_what_a_disabled_master_completes_is_never_replicated() -> None:
    """PR-12, U4: the gap is there, and no promise knows of it."""
    result = explore(replication(replace(ONE, orders=1)))
    assert result.reached["a transaction is never replicated"] > 0
    assert result.holds


@pytest.mark.slow
@pytest.mark.parametrize("mutant", REPLICATION_MUTANTS.values(), ids=lambda m: m.name)
def test_a_mutant_breaks_what_it_is_said_to_break_before_anything_else(
    mutant: ReplicationMutant,
) -> None:
    result = explore(mutant.model())
    found = result.violation or result.stuck
    assert found is not None
    assert found.property == mutant.breaks


def test_every_promise_is_broken_by_a_mutant() -> None:
    models = [mutant.model() for mutant in REPLICATION_MUTANTS.values()]
    promised = {p.name for m in models for p in m.properties if p.kind is not Kind.SOMETIMES}
    caught = {mutant.breaks for mutant in REPLICATION_MUTANTS.values()}
    also = {name for mutant in REPLICATION_MUTANTS.values() for name in mutant.also_breaks}
    assert promised == caught | also
    ids = {name for m in models for p in m.properties for name in p.promises}
    assert ids == {f"PR-{number}" for number in range(1, 32)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "network"),
    [
        (replace(ONE, stops=1, starts=1, skips=1, failovers=1), None),
        (replace(ONE, orders=2, definitions=1), None),
        (replace(ONE, sync=False, crashes=1, poisons=1), None),
        (Options(writes=1), Bag(2)),
        (Options(writes=1), Fifo(1)),
        (replace(ONE, failures=Failures.TOTAL, skips=1), None),
    ],
    ids=lambda value: None,
)
def test_the_fast_explorer_sees_what_the_slow_one_sees(
    options: Options, network: Network | None
) -> None:
    model = replication(options, network)
    slow, fast = explore_naively(model), explore(model)
    assert counts(fast) == counts(slow)
    assert fast.coverage == slow.coverage
    assert fast.reached == slow.reached
    assert slow.violation is None
    assert fast.violation is None


# The command.


def test_the_command_calls_the_clusters_by_name(tmp_path: Any) -> None:
    picture = tmp_path / "path.mmd"
    asked = ["replication", "--mutant", "reports-pulled", "--trace-out", str(picture)]
    result = CliRunner().invoke(explore_command, asked, standalone_mode=False)
    assert result.return_value == 1
    assert "BROKEN: truncated-is-finished" in result.output
    assert "master begins a write into chunk 0" in result.output
    assert "slave 1 pulls" in result.output
    assert "participant m2 as slave 1" in picture.read_text()


@pytest.mark.parametrize(
    ("bound", "answer"),
    [
        ("limit=31", "'31' is not a whole number from 1 to 30"),
        ("writes=10", "'10' is not a whole number from 1 to 9"),
        ("lost=never", "'never' is none of counts, waits, rehashed"),
    ],
)
def test_the_command_says_what_is_allowed(bound: str, answer: str) -> None:
    result = CliRunner().invoke(explore_command, ["replication", "--bound", bound])
    assert result.exit_code == 2
    assert answer in result.output


def test_states_are_told_as_the_status_functions_tell_them() -> None:
    found = explore(replication(replace(ONE, poisons=1))).violation
    assert found is None
    model = replication(ONE)
    slave = model.actors[2].initial(2)
    assert slave.status is Status.ENABLED
    assert str(slave) == "ENABLED, pulled to 0: []"
