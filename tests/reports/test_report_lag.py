"""The section about slaves: lines above bands, and each side in a line of a table."""

import json
from collections.abc import Callable

from delphic.reports.document import Document
from delphic.reports.html import render
from delphic.reports.lag import lag_figure, lag_section

Documents = Callable[[str], Document]


def test_each_slave_has_a_line_and_each_side_a_band(documents: Documents) -> None:
    figure = lag_figure(documents("slaves"))
    assert figure is not None
    lines = {trace["name"]: trace for trace in figure["data"] if trace["type"] == "scatter"}
    assert list(lines) == ["s1", "&lt;b&gt;s2"]
    assert list(lines["s1"]["y"]) == [0, 1]
    assert "1 task behind, 1 finished" in lines["s1"]["hovertext"][1]
    bars = {trace["name"]: trace for trace in figure["data"] if trace["type"] == "bar"}
    # What is no state is unknown.
    assert list(bars) == ["ENABLED", "DISABLED", "unknown"]
    assert bars["DISABLED"]["y"] == [1]
    assert 0 in bars["ENABLED"]["y"]
    labels = figure["layout"]["yaxis2"]["ticktext"]
    assert labels == ["master", "s1", "&lt;b&gt;s2"]


def test_faults_are_shaded_behind_it(documents: Documents) -> None:
    document = documents("slaves")
    figure = lag_figure(document)
    assert figure is not None
    shades = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert len(shades) == 3
    assert [label["text"] for label in figure["layout"]["annotations"]] == ["F1", "F2", "F3"]


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
