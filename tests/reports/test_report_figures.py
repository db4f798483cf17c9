"""Figures are plain data that Plotly understands."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from delphic.reports import figures
from delphic.reports.document import Document
from delphic.reports.faults import Act

Documents = Callable[[str], Document]


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from strings(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item, key)


def bars(figure: dict[str, Any], name: str) -> dict[str, Any]:
    (trace,) = [trace for trace in figure["data"] if trace.get("name") == name]
    return trace


def test_the_timeline_has_a_row_for_everything(documents: Documents) -> None:
    figure = figures.timeline(documents("pass"))
    labels = figure["layout"]["yaxis"]["ticktext"]
    assert labels[:7] == ["F1", "F2", "F3", "phase", "n1", "n2", "n3"]
    assert labels[figure["firstLane"] :] == [f"client {n}" for n in range(6)]
    assert figure["layout"]["yaxis"]["range"] == [len(labels) - 0.5, -0.5]


def test_faults_are_named_once_with_their_targets(documents: Documents) -> None:
    figure = figures.timeline(documents("pass"))
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert texts == ["F1 partition n1", "F2 kill n2", "F3 pause n3"]
    assert bars(figure, "faults")["y"] == [0, 1, 2]
    assert len([s for s in figure["layout"]["shapes"] if s["type"] == "rect"]) == 3


def test_leaders_carry_their_terms(documents: Documents) -> None:
    trace = bars(figures.timeline(documents("pass")), "leader")
    assert trace["text"][:3] == ["term 1", "term 2", "term 3"]
    assert len(trace["base"]) == len(trace["x"]) == len(trace["y"])
    assert min(trace["x"]) > 0


@pytest.mark.parametrize("kind", ["pass", "hostile", "small"])
def test_colours_are_names_of_variables_and_texts_are_escaped(
    documents: Documents, kind: str
) -> None:
    for figure in (figures.timeline(documents(kind)), figures.series(documents(kind))):
        for key, text in strings(figure):
            assert "<" not in text.replace("<extra></extra>", "")
            if key.endswith("color"):
                assert text.startswith("--")


def test_figures_are_json(documents: Documents) -> None:
    for figure in (figures.timeline(documents("pass")), figures.series(documents("pass"))):
        assert json.loads(msgspec.json.encode(figure))["layout"]["height"] > 100


def test_many_faults_share_rows_where_they_do_not_touch(documents: Documents) -> None:
    second = 1_000_000
    struck = tuple(
        Act("kill", "kill", "n1", n, n * second, None, number=n, end=(n + 2) * second)
        for n in range(1, 31)
    )
    found = msgspec.structs.replace(documents("pass"), acts=struck, end=200 * second)
    figure = figures.timeline(found)
    rows = bars(figure, "faults")["y"]
    assert max(rows) < figures.FAULT_ROWS_MAX
    assert figure["layout"]["yaxis"]["ticktext"][:2] == ["faults", ""]
    for row in set(rows):
        starts = sorted(act.start for act, at in zip(struck, rows, strict=True) if at == row)
        assert row == figures.FAULT_ROWS_MAX - 1 or all(
            later - earlier >= 50 * second for earlier, later in pairwise(starts)
        )


def test_neighbouring_band_labels_stand_on_two_levels(documents: Documents) -> None:
    acts = tuple(
        Act("kill", "kill", "n1", n, at, None, number=n, end=at + 1000)
        for n, at in ((1, 0), (2, 2000), (3, 900_000))
    )
    found = msgspec.structs.replace(documents("pass"), acts=acts, end=1_000_000)
    labels = figures.series(found)["layout"]["annotations"]
    assert [label["yshift"] for label in labels] == [0, 12, 0]
