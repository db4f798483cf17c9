"""What waits: entries of logs and tasks for slaves, out of traces that are looked at, not read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.clocks import Clocks, Course, shared
from delphic.reports.page.backlog import queue_figures, queues_section
from delphic.reports.page.document import Document, document
from delphic.reports.page.queues import LOOKS, Backlog, backlogs
from delphic.reports.page.tracelines import states

Documents = Callable[[str], Document]
END = LOOKS * 1_000
"""In microseconds: a look each millisecond."""


OURS = shared(0)


class Traces:
    """Traces of members, written line by line; times in milliseconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: dict[str, Path] = {}

    def note(self, member: str, ms: float, **more: Any) -> None:
        self.write(member, json.dumps({"t_ns": int(ms * 1e6), **more}, separators=(",", ":")))

    def raft(self, member: str, ms: float, commit: int, last: int, group: int = 2) -> None:
        post = {"role": "follower", "commit": commit, "last": [last, 1]}
        self.note(member, ms, group=group, post=post)

    def write(self, member: str, line: str) -> None:
        path = self.paths.setdefault(member, self.folder / member)
        with path.open("a") as stream:
            stream.write(f"{line}\n")

    def backlogs(self, *sides: str, clocks: Clocks = OURS) -> dict[str, Backlog]:
        return {one.what: one for one in backlogs(self.paths, clocks, sides, END)}


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    return Traces(tmp_path)


def lengths(backlog: Backlog, *ms: int) -> dict[str, tuple[int | None, ...]]:
    return {queue.name: tuple(queue.lengths[at] for at in ms) for queue in backlog.queues}


def test_entries_wait_or_are_missing_by_what_anybody_knew_to_be_committed(traces: Traces) -> None:
    traces.raft("n1", 10, 0, 5)
    traces.raft("n2", 20, 4, 5)
    traces.raft("n1", 30, 0, 9)
    traces.raft("n2", 40, 12, 14)
    found = traces.backlogs()
    waiting, missing = found["Written, not committed"], found["Committed, not yet here"]
    assert lengths(waiting, 5, 15, 25, 35, 45) == {
        "n1": (None, 5, 1, 5, 0),
        "n2": (None, None, 1, 1, 2),
    }
    assert lengths(missing, 25, 45, LOOKS) == {"n1": (0, 3, 3), "n2": (0, 0, 0)}
    assert waiting.times[10] == 10_000


def test_what_is_always_empty_is_not_shown(traces: Traces) -> None:
    traces.raft("n1", 10, 5, 5)
    assert traces.backlogs() == {}
    assert backlogs({}, shared(0), (), END) == ()
    assert backlogs(traces.paths, shared(0), (), 0) == ()


def test_logs_of_several_groups_are_no_one_queue(traces: Traces) -> None:
    traces.raft("n1", 10, 1, 5)
    traces.raft("n2", 10, 1, 5, group=3)
    assert traces.backlogs() == {}


def test_tasks_wait_at_the_master_and_at_slaves_as_the_furthest_controller_says(
    traces: Traces,
) -> None:
    def master(member: str, ms: float, index: int, head: int, following: int) -> None:
        traces.note(member, ms, group="master", index=index, post={"head": head, "next": following})

    master("mc1", 10, 1, 1, 4)
    master("mc2", 20, 3, 3, 9)
    master("mc1", 30, 2, 1, 5)
    traces.raft("mc1", 35, 1, 100, group=1)
    traces.note("s1c1", 15, group="slave", index=1, post={"offset": 3, "finished": 1})
    traces.note("s1c1", 25, group="slave", index=2, post={"offset": 3, "finished": 3})
    traces.write("md1", "")
    found = traces.backlogs("m", "s1")
    assert list(found) == ["Tasks"]
    assert lengths(found["Tasks"], 5, 12, 22, 40) == {
        "master": (None, 3, 6, 6),
        "s1": (None, None, 2, 0),
    }


def test_each_trace_is_read_by_its_own_clock_or_not_at_all(traces: Traces) -> None:
    traces.raft("n1", 1_010, 0, 5)
    traces.raft("n2", 10, 0, 7)
    clocks = Clocks(own={"n1": Course(1_000_000_000)})
    found = traces.backlogs(clocks=clocks)["Written, not committed"]
    assert lengths(found, 5, 15) == {"n1": (None, 5)}


@pytest.mark.parametrize("damage", ["", "{", '{"role":', '"t_ns":3', "\x00", '{"role":1}' * 9])
def test_damaged_lines_are_passed_over(traces: Traces, damage: str) -> None:
    traces.raft("n1", 10, 0, 5)
    traces.write("n1", damage)
    traces.raft("n1", 30, 0, 6)
    traces.write("n1", damage)
    (found,) = traces.backlogs().values()
    assert lengths(found, 40) == {"n1": (6,)}


def test_an_empty_trace_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.touch()
    assert list(states(path, [1, 2], b"x", lambda line: line)) == [None, None]


def test_the_page_draws_lines_and_says_the_most_in_a_table(documents: Documents) -> None:
    document = documents("pass")
    section = queues_section(document)
    assert section is not None
    assert section.text.count("<tr") == 1 + 3 * len(document.queues)
    assert 'id="queue-plot-0"' in section.text
    assert "6 at " in section.text
    figure = queue_figures(document)[0]
    assert [name for name, _ in figure.lines] == ["n1", "n2", "n3"]
    assert len(figure.times) == len(figure.lines[0][1]) == LOOKS + 1


def test_without_traces_there_is_no_such_section(copied: Callable[[str], Path]) -> None:
    path = copied("small")
    for trace in path.glob("nodes/*/trace.jsonl"):
        trace.unlink()
    assert queues_section(document(path)) is None
