"""Subscribers: the recommended way holds, others break what they are said to break."""

from typing import Any

import pytest
from click.testing import CliRunner
from delphic.model.actor import Bag, Fifo, Kind, Network
from delphic.model.cli import explore_command
from delphic.model.explore.explorer import explore
from delphic.model.explore.naive import explore_naively
from delphic.model.explore.result import Result
from delphic.model.subscription_group import subscription
from delphic.model.subscription_mutants import SUBSCRIPTION_MUTANTS, SubscriptionMutant
from delphic.model.subscription_rules import (
    Failure,
    Missing,
    Offset,
    Options,
    Resume,
)

ONE_ROW = Options(rows=1)


def counts(result: Result) -> tuple[int, int, int]:
    return result.states, result.transitions, result.depth


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        Options(terms=1, purges=1),
        Options(rows=1, offset=Offset.EARLIEST, purges=1),
        Options(rows=1, offset=Offset.STORED),
        Options(rows=1, offset=Offset.LATEST, persist=False),
        Options(rows=1, resume=Resume.HANDLED),
        Options(terms=1, failures=1, failure=Failure.AGAIN),
        Options(rows=1, members=3, crashes=0),
        Options(rows=1, terms=1, drops=1, unsubscribes=1),
        Options(rows=1, crashes=0, kills=2),
        Options(rows=1, crashes=0, kills=3, members=3, terms=1, connections=1),
    ],
    ids=[
        "retention",
        "earliest",
        "stored",
        "in memory",
        "handled",
        "again",
        "three members",
        "dropped",
        "no majority",
        "no majority of three",
    ],
)
def test_the_recommended_way_holds(options: Options) -> None:
    """HS-8, HS-12, HS-13, HS-14, HS-24, and all that should happen does; more is in golden.json."""
    result = explore(subscription(options))
    assert result.violation is None
    assert result.holds, (result.unreached, result.never_fired, result.eventually)
    assert not any(each.skipped for each in result.eventually)


def test_a_row_is_processed_twice_in_some_execution() -> None:
    """HS-15: with persistOffset there is no exactly-once."""
    assert explore(subscription(Options(rows=1, terms=1))).reached["a row is processed twice"]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", SUBSCRIPTION_MUTANTS.values(), ids=lambda m: m.name)
def test_a_mutant_breaks_what_it_is_said_to_break_before_anything_else(
    mutant: SubscriptionMutant,
) -> None:
    result = explore(mutant.model())
    found = result.violation or result.stuck
    assert found is not None
    assert found.property == mutant.breaks


def test_every_promise_is_broken_first_by_a_mutant() -> None:
    properties = subscription(Options(drops=1)).properties
    promised = {each.name for each in properties if each.kind is not Kind.SOMETIMES}
    assert {mutant.breaks for mutant in SUBSCRIPTION_MUTANTS.values()} == promised


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "network"),
    [
        (ONE_ROW, None),
        (Options(terms=1, failures=1), None),
        (Options(rows=1, terms=1, unsubscribes=1, purges=1), None),
        (Options(rows=1, crashes=0), Bag(2)),
        (Options(rows=1, crashes=0), Fifo(2)),
        (Options(rows=1, crashes=0, connections=1, subscribers=2, terms=1), None),
        *((m.options, None) for m in SUBSCRIPTION_MUTANTS.values() if m.options.terms == 1),
    ],
    ids=lambda value: None,
)
def test_the_fast_explorer_sees_what_the_slow_one_sees(
    options: Options, network: Network | None
) -> None:
    model = subscription(options, network)
    slow, fast = explore_naively(model), explore(model)
    assert counts(fast) == counts(slow)
    assert fast.coverage == slow.coverage
    assert fast.reached == slow.reached
    assert (fast.violation is None) == (slow.violation is None)
    if fast.violation is not None and slow.violation is not None:
        assert fast.violation.property == slow.violation.property
        assert len(fast.violation.path) == len(slow.violation.path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        Options(rows=1, terms=1, anchor=False),
        Options(rows=1, offset=Offset.EARLIEST, anchor=False),
        Options(rows=1, terms=1, missing=Missing.LATEST),
    ],
    ids=["a fixed offset is asked for again", "and the earliest", "the start is always recorded"],
)
def test_either_of_two_rules_is_enough_for_restarts(options: Options) -> None:
    assert explore(subscription(options)).holds


# The command.


def test_the_command_calls_the_group_and_its_subscribers_by_name(tmp_path: Any) -> None:
    picture = tmp_path / "path.mmd"
    asked = ["subscription", "--mutant", "publish-written", "--trace-out", str(picture)]
    result = CliRunner().invoke(explore_command, asked, standalone_mode=False)
    assert result.return_value == 1
    assert "BROKEN: published-rows-are-committed, after 4 steps." in result.output
    assert "  1  group n0 logs a row" in result.output
    assert "group receives Subscribe(connection 1, n0, offset 0) from subscriber 1" in result.output
    assert "participant m1 as subscriber 1" in picture.read_text()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["--bound", "offset=7"], "'7' is none of -1, -2, -3, 0, 1"),
        (["--bound", "connections=0"], "'0' is not a whole number from 1 to 9"),
    ],
)
def test_the_command_says_what_is_allowed(asked: list[str], answer: str) -> None:
    result = CliRunner().invoke(explore_command, ["subscription", *asked])
    assert result.exit_code == 2
    assert answer in result.output
