"""One member's disk: the recommended way holds, others break what they are said to break."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from delphic.model.actor import Kind
from delphic.model.cli import explore_command
from delphic.model.explore.explorer import explore
from delphic.model.explore.naive import explore_naively
from delphic.model.explore.result import Result
from delphic.model.storage_group import storage
from delphic.model.storage_mutants import STORAGE_MUTANTS, StorageMutant
from delphic.model.storage_rules import (
    Identity,
    Marking,
    Options,
    Redo,
    Write,
    cut,
    knows,
    skips,
    write_record,
)
from delphic.model.storage_types import (
    Cached,
    Data,
    Kept,
    Log,
    Mark,
    Own,
    Record,
    Row,
    after,
    common,
    fold,
    outcomes,
)
from delphic.model.storage_types import Kind as RecordKind

FINDINGS = Path(__file__).resolve().parents[2] / "docs" / "findings.md"
SHOWN = dict(
    re.findall(r"^```text\n\$ delphic explore (.+)\n((?:.*\n)*?)```$", FINDINGS.read_text(), re.M)
)
"""What the page of findings says that a command prints, but for the last line: it tells times."""

SMALL = Options(records=1, checkpoints=0)


def counts(result: Result) -> tuple[int, int, int]:
    return result.states, result.transitions, result.depth


def printed(command: str) -> list[str]:
    asked = CliRunner().invoke(explore_command, command.split(), standalone_mode=False)
    return asked.output.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(records=1, crashes=2), (443, 1372, 13)),
        (Options(batch=2, overrules=0), (925, 2300, 18)),
        (Options(ddl=1), (1463, 3623, 17)),
    ],
    ids=["rows", "batches", "tables"],
)
def test_the_recommended_way_holds(options: Options, expected: tuple[int, int, int]) -> None:
    """HS-9, HS-10, HS-11, HS-12, HS-18, HS-25; and all that should happen does.

    The page of findings tells of wider bounds; the default ones are compared below.
    """
    result = explore(storage(options))
    assert result.violation is None
    assert result.holds, (result.unreached, result.never_fired, result.eventually)
    assert counts(result) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("command", "output"), SHOWN.items(), ids=list(SHOWN))
def test_the_page_of_findings_shows_what_the_command_prints(command: str, output: str) -> None:
    assert printed(command)[:-1] == output.splitlines()


def test_every_mutant_has_its_finding() -> None:
    shown = [c.split()[2] for c in SHOWN if c.startswith("storage --mutant")]
    assert shown == list(STORAGE_MUTANTS)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", STORAGE_MUTANTS.values(), ids=lambda m: m.name)
def test_a_mutant_breaks_what_it_is_said_to_break_before_anything_else(
    mutant: StorageMutant,
) -> None:
    """Where the page shows the whole command, the test above has compared it already."""
    command = f"storage --mutant {mutant.name}"
    lines = SHOWN[command].splitlines() if command in SHOWN else printed(command)
    assert lines[0].startswith(f"BROKEN: {mutant.breaks}, after ")


def test_every_promise_is_broken_by_a_mutant() -> None:
    properties = storage(Options()).properties
    promised = {p.name for p in properties if p.kind is Kind.ALWAYS}
    assert {mutant.breaks for mutant in STORAGE_MUTANTS.values()} == promised


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        Options(records=1),
        Options(records=2, overrules=0, batch=2),
        replace(SMALL, overrules=2),
        replace(SMALL, marking=Marking.ATOMIC, write=Write.COMMITTED, crashes=2),
        replace(SMALL, marking=Marking.ORDERED, redo=Redo.BELOW),
        replace(SMALL, ddl=1, tables=2),
        *(m.options for m in STORAGE_MUTANTS.values() if m.options.records == 1),
    ],
    ids=lambda options: None,
)
def test_the_fast_explorer_sees_what_the_slow_one_sees(options: Options) -> None:
    slow, fast = explore_naively(storage(options)), explore(storage(options))
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
        Options(records=1, redo=Redo.BELOW),
        Options(records=1, start_row=False),
        Options(records=1, marking=Marking.ATOMIC, start_row=False),
        Options(records=1, write=Write.COMMITTED, rollback=False, identity=Identity.LSN),
    ],
    ids=["redo the equal one, in place", "cut at restarts", "one write", "commit first"],
)
def test_a_rule_that_breaks_promises_alone_may_be_harmless_in_company(options: Options) -> None:
    assert explore(storage(options)).holds


def test_that_the_member_catches_up_is_found_broken_where_no_leader_repairs_it() -> None:
    model = storage(replace(SMALL, overrules=0))
    (calm,) = model.good

    def allows(locals_: Any, net: Any, node: int, event: Any) -> bool:
        return event is not Own.REPAIR and calm.allows(locals_, net, node, event)

    stuck = explore(replace(model, good=(replace(calm, allows=allows),))).stuck
    assert stuck is not None
    assert stuck.property == "the member catches up"


# The nouns.

A = 0
FIRST = Record(1, 1, RecordKind.ROWS, A, 0)
SECOND = Record(2, 1, RecordKind.ROWS, A, 1)
OTHER = Record(2, 2, RecordKind.ROWS, A, 1)
EMPTY = (Kept(Mark(0, 0), 0, Mark(0, 0)),)


def log(*records: Record, base: int = 0) -> Log:
    return Log(base, EMPTY, records)


def test_a_file_may_be_found_as_any_write_since_the_last_sync_left_it() -> None:
    file = Cached(("a",)).written("ab").written("ab").written("abc")
    assert file.images == ("a", "ab", "abc")
    assert (file.now, file.settled, file.synced().images) == ("abc", False, ("abc",))


def test_rows_and_lsn_may_survive_without_each_other_where_nothing_ties_them() -> None:
    old, new = Data((), Mark(0, 0)), Data((Row(1, 1, 0),), Mark(1, 1))
    file = Cached((old, new))
    assert list(outcomes(file, apart=False)) == [old, new]
    assert set(outcomes(file, apart=True)) == {
        old,
        new,
        Data((), Mark(1, 1)),
        Data(new.rows, (0, 0)),
    }


def test_what_a_log_says_of_its_tables_goes_on_from_its_checkpoint() -> None:
    drop = Record(3, 1, RecordKind.DROP, A, 0)
    whole = log(FIRST, SECOND, drop)
    assert after(whole, 2, 2) == (Kept(Mark(0, 0), 4, Mark(2, 1)),)
    assert after(whole, 3, 2) == (Kept(None, 0, Mark(3, 1)),)
    short = Log(1, after(whole, 1, 2), (SECOND, drop))
    assert [after(short, lsn, 2) for lsn in (2, 3)] == [after(whole, lsn, 2) for lsn in (2, 3)]


def test_a_drop_ends_the_rows_of_its_table_alone() -> None:
    b = 1
    records = (FIRST, Record(2, 1, RecordKind.ROWS, b, 0), Record(3, 1, RecordKind.DROP, A, 0))
    assert fold(records, A, 1) == ()
    assert fold(records, b, 1) == (Row(2, 1, 0),)


def test_logs_agree_up_to_their_first_difference_and_at_least_at_a_checkpoint() -> None:
    assert common(log(FIRST, SECOND), (FIRST, OTHER)) == 1
    assert common(log(FIRST), (FIRST, OTHER)) == 1
    assert common(log(SECOND, base=1), (FIRST, SECOND)) == 2
    assert common(log(base=1), (FIRST, SECOND)) == 1


@pytest.mark.parametrize(
    ("identity", "redo", "file", "skipped"),
    [
        (Identity.LSN, Redo.UPTO, Mark(2, 1), True),
        (Identity.LSN, Redo.BELOW, Mark(2, 1), False),
        (Identity.LSN, Redo.BELOW, Mark(3, 1), True),
        (Identity.ORDER, Redo.UPTO, Mark(2, 1), False),
        (Identity.ORDER, Redo.UPTO, Mark(2, 3), True),
        (Identity.MATCH, Redo.UPTO, Mark(2, 3), False),
        (Identity.MATCH, Redo.UPTO, Mark(2, 2), True),
        (Identity.MATCH, Redo.BELOW, Mark(2, 2), False),
        (Identity.MATCH, Redo.UPTO, Mark(1, 1), False),
    ],
)
def test_whether_a_record_is_skipped(
    identity: Identity, redo: Redo, file: Mark, skipped: bool
) -> None:
    """The record is 2.2, in a log of 1.1 and 2.2."""
    options = Options(identity=identity, redo=redo)
    assert skips(options, log(FIRST, OTHER), file, OTHER) is skipped


def test_a_log_knows_a_file_by_the_record_that_the_file_names() -> None:
    options = Options()
    assert knows(options, log(FIRST, OTHER), Mark(2, 2))
    assert not knows(options, log(FIRST, OTHER), Mark(2, 1))
    assert not knows(options, log(FIRST), Mark(2, 1))
    assert knows(options, log(base=2), Mark(1, 1))


def test_rows_go_to_their_offset_or_to_the_end() -> None:
    file = Cached((Data((Row(1, 1, 0), Row(2, 1, 0)), Mark(2, 1)),))
    in_place = write_record(Options(marking=Marking.ATOMIC), file, OTHER)
    assert in_place.now == Data((Row(1, 1, 0), Row(2, 2, 0)), Mark(2, 2))
    behind = write_record(Options(marking=Marking.ATOMIC, start_row=False), file, OTHER)
    assert behind.now.rows == (Row(1, 1, 0), Row(2, 1, 0), Row(2, 2, 0))


def test_a_rollback_lowers_the_lsn_on_disk_before_rows_go() -> None:
    file = Cached((Data((Row(1, 1, 0), Row(2, 1, 0)), Mark(2, 1)),))
    cut_off = cut(Options(), file, 1, Mark(1, 1))
    assert {data.mark for data in cut_off.images} == {Mark(1, 1)}
    assert cut_off.now.rows == (Row(1, 1, 0),)
    late = cut(Options(lower_first=False), file, 1, Mark(1, 1))
    assert Data((Row(1, 1, 0),), Mark(2, 1)) in set(outcomes(late, apart=True))


# The command.


def test_the_command_shows_the_shortest_counterexample_of_a_mutant() -> None:
    result = CliRunner().invoke(
        explore_command, ["storage", "--mutant", "redo-equal-lsn"], standalone_mode=False
    )
    assert result.return_value == 1
    assert "BROKEN: logged-rows-once, after 5 steps." in result.output
    assert "[[1.1] LSN 1.1] → [[1.1] LSN 1.1 ⇢ [1.1, 1.1] LSN 1.1]" in result.output


def test_the_command_takes_switches_by_name() -> None:
    asked = ["storage", "--json", "--bound", "records=1", "--bound", "overrules=0"]
    asked += ["--bound", "truncate=written", "--property", "logged-rows-once"]
    result = CliRunner().invoke(explore_command, asked, standalone_mode=False)
    assert result.return_value == 1
    data = json.loads(result.output)
    assert data["parameters"]["truncate"] == "written"
    assert data["violation"]["property"] == "logged-rows-once"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["--bound", "redo=twice"], "'twice' is none of below, upto"),
        (["--members", "3"], "storage is about one member"),
    ],
)
def test_the_command_says_what_is_allowed(asked: list[str], answer: str) -> None:
    result = CliRunner().invoke(explore_command, ["storage", *asked])
    assert result.exit_code == 2
    assert answer in result.output
