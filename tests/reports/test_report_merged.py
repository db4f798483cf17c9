"""The logs of all members as one: in order, by one clock, and the nearest lines of very many."""

from collections.abc import Callable

from delphic.reports.page.document import Document
from delphic.reports.page.merged import LINES_MAX, merged, merged_section
from delphic.reports.page.nodelogs import Line, NodeLog

Documents = Callable[[str], Document]


def log(node: str, *times: int | None) -> NodeLog:
    lines = tuple(Line(at, f"line {at}", time) for at, time in enumerate(times, start=1))
    return NodeLog(node, lines, sum(time is not None for time in times))


def test_lines_of_all_members_stand_by_time() -> None:
    found = merged([log("n1", 10, 30, 30), log("n2", 20, 40)], ())
    told = [(line.time, line.node, line.number) for line in found.lines]
    assert told == [(10, "n1", 1), (20, "n2", 1), (30, "n1", 2), (30, "n1", 3), (40, "n2", 2)]
    assert found.total == 5


def test_of_very_many_the_nearest_to_what_matters_stay_and_gaps_are_told() -> None:
    count = 5 * LINES_MAX
    middle = count // 2
    found = merged([log("n1", *range(count))], [middle])
    times = [line.time for line in found.lines]
    assert len(times) == LINES_MAX
    assert found.total == count
    assert {0, middle - 300, middle, middle + 300, count - 1} <= set(times)
    assert middle - 2 * LINES_MAX not in times
    assert sum(line.left_out for line in found.lines) == count - LINES_MAX
    section = merged_section(found)
    assert section is not None
    assert "lines left out" in section.text
    assert f"{LINES_MAX:,} lines of {count:,}" in section.text


def test_logs_without_times_are_named() -> None:
    found = merged([log("n1", 1), log("n2", None, None), log("n3")], ())
    assert found.untimed == ("n2",)
    section = merged_section(found)
    assert section is not None
    assert "left out: n2." in section.text
    assert merged_section(merged([log("n2", None)], ())) is None


def test_lines_are_text(documents: Documents) -> None:
    section = merged_section(documents("hostile").merged)
    assert section is not None
    assert "&lt;img" in section.text
    assert "<img" not in section.text
