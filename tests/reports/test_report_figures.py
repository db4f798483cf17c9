"""Figures are plain data that the page's script draws."""

import json
from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
from delphic.reports.page import figures
from delphic.reports.page.document import Document
from delphic.reports.page.faults import Act
from delphic.reports.page.files import SideFacts
from delphic.reports.standalone import asset

Documents = Callable[[str], Document]


def test_the_timeline_has_a_row_for_everything(documents: Documents) -> None:
    rows = figures.timeline(documents("pass"))
    assert rows.labels[:7] == ("F1", "F2", "F3", "phase", "n1", "n2", "n3")
    assert rows.labels[rows.lane :] == tuple(f"client {n}" for n in range(6))
    assert {bar.row for bar in rows.bars} == set(range(7))


def test_of_several_clusters_only_who_has_a_role_has_a_row(documents: Documents) -> None:
    document = documents("pass")
    more = msgspec.structs.replace(document, members=(*document.members, "n9"))
    assert "n9" in figures.timeline(more).labels
    sides = msgspec.structs.replace(more.plan, sides=(SideFacts("m"), SideFacts("s1")))
    labels = figures.timeline(msgspec.structs.replace(more, plan=sides)).labels
    assert "n9" not in labels
    assert "n3" in labels


def test_faults_are_named_once_with_their_targets(documents: Documents) -> None:
    rows = figures.timeline(documents("pass"))
    assert [note.text for note in rows.notes] == ["F1 partition n1", "F2 kill n2", "F3 pause n3"]
    struck = [bar for bar in rows.bars if bar.look == "fault"]
    assert [bar.row for bar in struck] == [0, 1, 2]
    shaded = figures.bands(documents("pass"))
    assert [(band.start, band.end) for band in shaded] == [(bar.start, bar.end) for bar in struck]
    assert [band.name for band in shaded] == ["F1", "F2", "F3"]


def test_leaders_carry_their_terms(documents: Documents) -> None:
    bars = [b for b in figures.timeline(documents("pass")).bars if b.look == "leader"]
    assert [bar.text for bar in bars][:3] == ["term 1", "term 2", "term 3"]
    assert all(bar.start < bar.end for bar in bars)


@pytest.mark.parametrize("kind", ["pass", "slaves"])
def test_every_look_is_a_colour_of_the_page(documents: Documents, kind: str) -> None:
    style = asset("tokens.css")
    looks = {bar.look for bar in figures.timeline(documents(kind)).bars}
    assert len(looks) >= 5
    # The page draws what nobody saw by another name: --unknown is a verdict.
    assert [x for x in looks if f"--{x.replace('unknown', 'unseen')}:" not in style] == []


def test_figures_are_json(documents: Documents) -> None:
    found = json.loads(msgspec.json.encode(figures.timeline(documents("hostile"))))
    assert all(len(bar) == 6 for bar in found["bars"])
    assert found["lane"] == 7


def test_many_faults_share_rows_where_they_do_not_touch(documents: Documents) -> None:
    second = 1_000_000
    struck = tuple(
        Act("kill", "kill", "n1", n, n * second, None, number=n, end=(n + 2) * second)
        for n in range(1, 31)
    )
    found = msgspec.structs.replace(documents("pass"), acts=struck, end=200 * second)
    drawn = figures.timeline(found)
    rows = [bar.row for bar in drawn.bars if bar.look == "fault"]
    assert max(rows) < figures.FAULT_ROWS_MAX
    assert drawn.labels[:2] == ("faults", "")
    for row in set(rows):
        starts = sorted(act.start for act, at in zip(struck, rows, strict=True) if at == row)
        assert row == figures.FAULT_ROWS_MAX - 1 or all(
            later - earlier >= 50 * second for earlier, later in pairwise(starts)
        )
