"""The section on the model's steps: how many kinds came, and which never did."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from delphic.reports.page.coverage import coverage
from delphic.reports.page.document import Document
from delphic.reports.page.html import render

MADE: dict[str, Any] = {
    "steps": 1200,
    "exercised": 3,
    "kinds": 5,
    "never": [["timeout", "candidate <b>"], ["timeout", "leader"]],
    "beyond": [],
}


def with_coverage(found: Document, made: Any) -> Document:
    assert found.verdict is not None
    statistics = {**found.verdict.statistics, "coverage": made}
    verdict = msgspec.structs.replace(found.verdict, statistics=statistics)
    return msgspec.structs.replace(found, verdict=verdict)


def test_it_tells_how_many_kinds_came_and_lists_the_others(
    documents: Callable[[str], Document],
) -> None:
    page = render(with_coverage(documents("pass"), MADE))
    assert "The members made 1,200 steps of the model, of 3 of the 5 kinds" in page
    assert "Kinds that never came" in page
    assert "<li>candidate &lt;b&gt;</li><li>leader</li>" in page
    assert "Kinds beyond the bounds" not in page


def test_kinds_beyond_the_bounds_are_told_apart(documents: Callable[[str], Document]) -> None:
    made = {**MADE, "beyond": [["fsync", "leader"]]}
    section = coverage(with_coverage(documents("pass"), made))
    assert section is not None
    assert "Beyond the bounds of that: 1 kind." in section.text


@pytest.mark.parametrize("made", [None, [], {"steps": "many"}, {**MADE, "never": [["one"]]}])
def test_what_another_version_wrote_is_left_out(
    made: Any, documents: Callable[[str], Document]
) -> None:
    assert coverage(with_coverage(documents("pass"), made)) is None
