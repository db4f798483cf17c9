"""docs/zoo.md: every seeded mistake, caught; the page says what its figures say."""

import os
import re
from pathlib import Path

import pytest
from delphic.harness.language import shipped
from delphic.harness.scenario import load
from delphic.harness.zoo import bugs as zoo
from delphic.harness.zoo.checks import CHECKS
from delphic.harness.zoo.cli import measured
from delphic.harness.zoo.matrix import Matrix
from delphic.harness.zoo.nouns import Family
from delphic.harness.zoo.page import IN_PART, NOT_HERE, page
from delphic.harness.zoo.worlds import SOUND, SOUND_SEEDS, Worlds
from delphic.impl.bugs import ALL_BUGS, BUGS
from delphic.impl.bugs_of_users import USER_BUGS

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def found() -> Matrix:
    """The figures of the page; `make nightly` holds those of the night to the same rules."""
    return measured(Path(os.environ.get("DELPHIC_ZOO", DOCS / "zoo.json")))


def test_the_page_says_what_was_measured() -> None:
    assert (DOCS / "zoo.md").read_text() == page(measured(DOCS / "zoo.json"))


def test_every_mistake_met_every_check(found: Matrix) -> None:
    asked = [(bug.family, bug.place, bug.name) for bug in zoo.every()]
    assert [(row.family, row.place, row.name) for row in found.rows] == asked
    assert [check.name for check in found.checks] == list(CHECKS)
    for row in found.rows:
        assert [cell.check for cell in row.cells] == list(CHECKS)


def test_every_mistake_is_caught_and_nothing_else_is(found: Matrix) -> None:
    assert len(found.mistakes) == len(found.rows) - 1
    assert found.escaped == []
    assert found.alarms == []


def test_where_no_mistake_was_made_every_check_looked_at_the_whole(found: Matrix) -> None:
    reasons = {cell.check: cell.reason for cell in found.quiet}
    assert list(reasons) == list(CHECKS)
    worlds = len(SOUND) * SOUND_SEEDS
    for name, check in CHECKS.items():
        if isinstance(check, Worlds):
            assert reasons.pop(name) == f"{worlds} worlds raised no alarm."
    assert reasons.pop("explore") == "No state within its bounds breaks a promise."
    assert all(reason.startswith("All ") for reason in reasons.values())


def test_histories_show_every_seeded_bug_from_every_start_in_few_seeds(found: Matrix) -> None:
    rows = [row for row in found.rows if row.family is Family.IMPLEMENTATION]
    assert [row.name for row in rows] == list(ALL_BUGS)
    for row in rows:
        (cell,) = (cell for cell in row.cells if cell.check == "history")
        if cell.outcome == "blind":
            continue
        assert cell.found == cell.starts == found.starts, row.name
        assert cell.effort <= 20, row.name


def test_every_row_of_the_list_is_seeded_or_there_is_a_reason_why_not() -> None:
    seeded = {row for bug in BUGS.values() for row in re.findall(r"\b[RV]\d+\b", bug.source)}
    assert seeded | set(NOT_HERE) >= {*(f"R{row}" for row in range(1, 31)), "V2", "V3", "V4"}
    assert not seeded & set(NOT_HERE)
    assert set(IN_PART) <= seeded


def test_the_page_says_which_seeded_bugs_are_not_on_it(found: Matrix) -> None:
    rows = {row.name for row in found.rows}
    text = page(found)
    for name in USER_BUGS:
        assert name not in rows
        assert f"`{name}`" in text


@pytest.mark.parametrize("name", ALL_BUGS)
def test_every_bug_has_a_scenario_that_seeds_it_and_expects_its_promises(name: str) -> None:
    text, file = shipped.text_of(f"bug-{name}")
    scenario = load(text, file)
    assert [name] in scenario.cluster.bugs.values()
    assert scenario.expect.verdict == "fail"
    assert set(scenario.expect.promises) & set(ALL_BUGS[name].promises)
