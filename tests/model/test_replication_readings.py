"""The page of readings says what exploring them finds."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from delphic.model import replication_readings as readings
from delphic.model.replication_readings import CLAIMS, READINGS, Reading, column, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "replication-readings.md"


def written() -> dict[str, list[str]]:
    """The cells of the tables by what stands in their first column."""
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if "|" in line]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {row[0]: row[1:] for row in cells if len(row) > 2}


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(READINGS)), ids=lambda n: READINGS[n].switch)
def test_a_reading_keeps_and_breaks_what_the_page_says(number: int) -> None:
    found, cells = column(READINGS[number]), written()
    assert cells[str(number)][-1] == f"{found.states:,}"
    for name in found.known:
        assert cells[name][1 + number] == str(found.steps.get(name, "·")), name


def test_the_recommended_readings_break_no_promise() -> None:
    for name, cells in written().items():
        if cells[0].startswith("PR-") and name not in CLAIMS:
            assert cells[1] == "·", name


def test_every_reading_but_one_costs_a_promise_or_buys_a_claim() -> None:
    """U6 is a matter of caution: no promise needs that tasks are skipped only while paused."""
    rows = [cells[1:] for cells in written().values() if cells[0].startswith("PR-")]
    alike = [
        READINGS[n].switch
        for n in range(1, len(READINGS))
        if all(cells[n] == cells[0] for cells in rows)
    ]
    assert alike == ["skipping=anytime"]


@pytest.mark.slow
def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drains = next(each for each in READINGS if each.switch == "waiting=drain")
    monkeypatch.setattr(readings, "READINGS", (Reading("", "", "as it is", {}), drains))
    monkeypatch.setattr(readings, "BOUNDS", (readings.BOUNDS[1], *readings.BOUNDS[3:4]))
    monkeypatch.setattr(readings, "CLAIMS", {"nothing is missing": "All of it."})
    file = tmp_path / "page.md"
    assert CliRunner().invoke(readings.main, [str(file)]).exit_code == 0
    lines = file.read_text().splitlines()
    assert "| paused-is-quiet | PR-10 | · | 10 |" in lines
    assert "| nothing is missing | PR-26 | 9 | 9 |" in lines
    assert next(page([])).startswith("# Readings")
