"""The section about slaves: lines above bands, and each side in a line of a table."""

import json
from collections.abc import Callable

from delphic.reports.page.document import Document
from delphic.reports.page.html import render
from delphic.reports.page.lag import lag_figure, lag_section

Documents = Callable[[str], Document]


def test_each_slave_has_a_line_and_each_side_a_band(documents: Documents) -> None:
    figure = lag_figure(documents("slaves"))
    assert figure is not None
    lines = {line.name: line for line in figure.lines}
    assert list(lines) == ["s1", "<b>s2"]
    assert lines["s1"].tasks == (0, 1)
    assert lines["s1"].hovers[1] == "s1: 1 task behind, 1 finished"
    bars = figure.states.bars
    # What is no state is unknown.
    assert {bar.look for bar in bars} == {"enabled", "disabled", "unseen"}
    assert {bar.row for bar in bars if bar.look == "disabled"} == {1}
    assert 0 in {bar.row for bar in bars if bar.look == "enabled"}
    assert figure.states.labels == ("master", "s1", "<b>s2")


def test_the_table_says_it_to_those_who_see_no_plot(documents: Documents) -> None:
    section = lag_section(documents("slaves"))
    assert section is not None
    assert "2 enqueued" in section.text
    assert "1 task at" in section.text
    assert "DISABLED 2.0 s" in section.text
    assert 'aria-label="Tasks by which 2 slaves lagged over' in section.text
    assert "<b>" not in section.text


def test_the_page_holds_it_where_there_are_slaves(documents: Documents) -> None:
    page = render(documents("slaves"))
    assert '<section id="lag"' in page
    assert '"lag":{' in page


def test_a_run_without_slaves_has_none(documents: Documents) -> None:
    document = documents("pass")
    assert document.replication is None
    assert lag_section(document) is None
    assert lag_figure(document) is None
    assert 'id="lag"' not in render(document)
    data = render(document).split('id="data">')[1].split("</script>")[0]
    assert json.loads(data)["lag"] is None
