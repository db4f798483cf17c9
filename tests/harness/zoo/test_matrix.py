"""The kill matrix from checks that are told what to find: rows, medians, escapes, false alarms."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from delphic.harness.errors import ExitCode, UsageError
from delphic.harness.zoo import bugs as zoo
from delphic.harness.zoo import checks, matrix
from delphic.harness.zoo.cli import code, measured, zoo_command
from delphic.harness.zoo.matrix import Matrix, Terms, Voice, rows
from delphic.harness.zoo.nouns import Budget, Bug, Caught, Check, Missed, Outcome
from delphic.harness.zoo.page import counts, line, page


@dataclass
class Told:
    """A check that answers as it was told, start by start."""

    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    name: str = "told"
    about: str = "does as it is told; effort: whims"
    effort: str = "whims"
    chance: bool = True

    def blind(self, bug: Bug) -> str | None:
        return None if bug.name in self.answers else "It was told nothing of it."

    def hunt(self, bug: Bug, budget: Budget) -> Outcome:
        return self.answers[bug.name][budget.start]


CAUGHT = [Caught("eye HS-1", "Seen.", 4, 0.5), Caught("eye HS-1", "Seen.", 2, 0.1)]
TWICE = Terms(1.0, starts=2)


def found(monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[Outcome]]) -> Matrix:
    """What comes of the hunts for these mistakes."""
    told: Check = Told(answers)
    monkeypatch.setitem(checks.CHECKS, told.name, told)  # type: ignore[arg-type]
    asked = [bug for bug in zoo.chosen(list(answers)) if bug.family.value != "model"]
    return matrix.matrix(list(rows(asked, [told], TWICE)), [told], TWICE)


def test_a_cell_has_the_medians_of_all_starts_and_everybody_who_saw_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Outcome] = [*CAUGHT]
    (row,) = found(monkeypatch, {"stale-read": answers}).rows
    (cell,) = row.cells
    assert (cell.outcome, cell.found, cell.starts) == ("caught", 2, 2)
    assert (cell.effort, cell.effort_max, cell.cpu_s) == (3, 4, 0.3)
    assert cell.by == (Voice("eye HS-1", 2),)


def test_what_one_start_missed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    result = found(monkeypatch, {"stale-read": [CAUGHT[0], Missed("Too dark.", 9.0)]})
    (cell,) = result.rows[0].cells
    assert (cell.outcome, cell.found, cell.reason) == ("caught", 1, "Too dark.")
    assert "0.5 s 1/2" in page(result)
    assert code(result) is ExitCode.AS_EXPECTED


def test_a_mistake_that_nobody_catches_has_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, list[Outcome]] = {
        "stale-read": [*CAUGHT],
        "vote-twice": [Missed("Too dark.", 1.0), Missed("Too dark.", 1.0)],
    }
    result = found(monkeypatch, answers)
    assert [row.name for row in result.escaped] == ["vote-twice"]
    assert counts(result) == "1 of 2 mistakes were caught (50%); not vote-twice."
    assert code(result) is ExitCode.PROMISE_BROKEN
    assert "| `told` | `vote-twice` | Too dark. |" in page(result)


def test_a_mistake_at_which_no_check_can_look_has_escaped_where_all_were_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: Check = Told({"stale-read": [*CAUGHT]})
    monkeypatch.setattr(matrix, "CHECKS", {told.name: told})
    monkeypatch.setattr(checks, "CHECKS", matrix.CHECKS)
    asked = [bug for bug in zoo.chosen(["stale-read", "aborted-read"]) if not bug.place]
    result = matrix.matrix(list(rows(asked, [told], TWICE)), [told], TWICE)
    assert counts(result) == "1 of 2 mistakes were caught (50%); not aborted-read."
    assert code(result) is ExitCode.PROMISE_BROKEN


def test_a_mistake_at_which_none_of_some_checks_can_look_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: Check = Told({"stale-read": [*CAUGHT]})
    monkeypatch.setitem(checks.CHECKS, told.name, told)  # type: ignore[arg-type]
    asked = [bug for bug in zoo.chosen(["stale-read", "aborted-read"]) if not bug.place]
    result = matrix.matrix(list(rows(asked, [told], TWICE)), [told], TWICE)
    assert counts(result) == (
        "1 of 1 mistakes were caught (100%). These checks cannot see aborted-read."
    )
    assert code(result) is ExitCode.AS_EXPECTED


def test_to_ask_checks_that_can_see_none_of_the_mistakes_is_refused() -> None:
    words = ["stale-read", "--checks", "drills", "--jobs", "1"]
    found = CliRunner().invoke(zoo_command, words, standalone_mode=False)
    assert isinstance(found.exception, UsageError), found.output
    assert str(found.exception) == "nothing to hunt: drills cannot see stale-read"


def test_what_is_caught_where_nothing_is_wrong_is_a_false_alarm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = found(monkeypatch, {"nothing": [*CAUGHT]})
    assert [cell.check for cell in result.alarms] == ["told"]
    assert "FALSE ALARM where no mistake was made: told." in counts(result)
    assert line(result.rows[0], ["nothing"]).split() == ["nothing", "ALARM"]
    assert code(result) is ExitCode.HARNESS


def test_where_no_mistake_was_made_hunts_go_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that was cut short has not looked for the false alarms that come last."""
    told = Told({"nothing": [Missed("All 7 whims were well.", 9.0)], "stale-read": [*CAUGHT]})
    monkeypatch.setattr(told, "hunt", lambda bug, budget: Missed(f"{budget.seconds:g} s", 0.0))
    monkeypatch.setitem(checks.CHECKS, told.name, told)  # type: ignore[arg-type]
    asked = [bug for bug in zoo.chosen(["nothing", "stale-read"]) if not bug.place]
    sound, wrong = rows(asked, [told], Terms(1.0))
    assert [sound.cells[0].reason, wrong.cells[0].reason] == ["inf s", "1 s"]


def test_the_page_says_how_far_checks_have_looked_where_no_mistake_was_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    well = Missed("All 7 whims were well.", 9.0)
    text = page(found(monkeypatch, {"nothing": [well, well]}))
    assert "| `told` | All 7 whims were well. |" in text


def test_what_is_known_is_not_hunted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = found(monkeypatch, {"stale-read": [*CAUGHT]})
    told: Check = Told({"stale-read": [], "vote-twice": [*CAUGHT]})
    monkeypatch.setitem(checks.CHECKS, told.name, told)  # type: ignore[arg-type]
    asked = [bug for bug in zoo.chosen(["stale-read", "vote-twice"]) if not bug.place]
    first, second = rows(asked, [told], TWICE, matrix.known(before, TWICE.budget_s))
    assert first.cells == before.rows[0].cells
    assert second.caught


def test_what_is_known_from_fewer_starts_is_hunted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = found(monkeypatch, {"stale-read": [*CAUGHT]})
    told: Check = Told({"stale-read": [*CAUGHT, CAUGHT[0]]})
    monkeypatch.setitem(checks.CHECKS, told.name, told)  # type: ignore[arg-type]
    asked = [bug for bug in zoo.chosen(["stale-read"]) if not bug.place]
    (row,) = rows(asked, [told], Terms(1.0, starts=3), matrix.known(before, TWICE.budget_s))
    assert row.cells[0].starts == 3


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (Missed("Too dark.", 1.0), True),
        (Caught("eye HS-1", "Seen.", 1, 0.5), False),
    ],
)
def test_what_a_shorter_hunt_missed_is_hunted_again(
    monkeypatch: pytest.MonkeyPatch, first: Outcome, again: bool
) -> None:
    before = found(monkeypatch, {"stale-read": [CAUGHT[0], first]})
    later = Caught("eye HS-1", "Seen late.", 9, 5.0)
    told: Check = Told({"stale-read": [later, later]})
    monkeypatch.setitem(checks.CHECKS, told.name, told)  # type: ignore[arg-type]
    asked = [bug for bug in zoo.chosen(["stale-read"]) if not bug.place]
    for budget_s, hunted in ((TWICE.budget_s, False), (600.0, again)):
        (row,) = rows(asked, [told], Terms(budget_s, starts=2), matrix.known(before, budget_s))
        assert (row.cells[0].sentence == "Seen late.") is hunted


def test_what_a_check_cannot_see_any_more_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    before = found(monkeypatch, {"stale-read": [*CAUGHT]})
    asked = [bug for bug in zoo.chosen(["stale-read"]) if not bug.place]
    (row,) = rows(asked, [Told({})], TWICE, matrix.known(before, TWICE.budget_s))
    assert [cell.outcome for cell in row.cells] == ["blind"]


def test_several_processes_find_what_one_does() -> None:
    asked = zoo.chosen(["follower-writes", "vote-forgotten"])
    hunting = checks.chosen(["explore"])
    alone = [*rows(asked, hunting, Terms(60.0))]
    together = [*rows(asked, hunting, Terms(60.0, jobs=2))]
    assert [(row.name, row.cells[0].by, row.cells[0].effort) for row in alone] == [
        (row.name, row.cells[0].by, row.cells[0].effort) for row in together
    ]
    assert all(row.caught for row in alone)


def test_an_unknown_mistake_or_check_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no seeded mistake 'stale-reed'; did you mean"):
        zoo.chosen(["stale-reed"])
    with pytest.raises(UsageError, match="no check 'explor'; did you mean 'explore'"):
        checks.chosen(["explor"])


def test_the_command_prints_a_table_or_what_the_page_is_made_of(tmp_path: Path) -> None:
    words = ["vote-forgotten", "--checks", "explore", "--jobs", "1"]
    shown = CliRunner().invoke(zoo_command, words, standalone_mode=False)
    assert shown.return_value == 0
    head, row, total = shown.output.splitlines()
    assert head.split() == ["explore"]
    assert row.startswith("raft: vote-forgotten")
    assert row.endswith(" s")
    assert total == "1 of 1 mistakes were caught (100%)."
    printed = CliRunner().invoke(zoo_command, [*words, "--json"], standalone_mode=False).output
    assert json.loads(printed)["rows"][0]["name"] == "vote-forgotten"
    file = tmp_path / "zoo.json"
    file.write_text(printed)
    told = CliRunner().invoke(zoo_command, ["--table", str(file)], standalone_mode=False)
    assert told.output == page(measured(file))
    assert "| `vote-forgotten` |" in told.output


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "zoo.json"
    file.write_bytes(msgspec.json.encode({"schema": 1}))
    with pytest.raises(UsageError, match="not what `delphic zoo --json` prints"):
        measured(file)
