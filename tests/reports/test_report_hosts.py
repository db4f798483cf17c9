"""Hosts on which members lived: a table of them, where there are any."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.rundir import RunDir
from delphic.reports.page import html
from delphic.reports.page.document import _logs, document
from delphic.reports.page.files import read
from delphic.reports.page.hosts import ClockFacts, HostFacts, PacketFacts, hosts_section

HOST = {
    "address": "10.0.0.1",
    "members": {"n1": "10.0.0.1:8848"},
    "system": "Linux <6> x86_64",
    "boot": "b",
    "python": "3.11.2",
    "environment": "e",
    "sent": [],
    "clock_before": {"ahead_s": -1.25, "within_s": 0.0005},
    "clock_after": {"ahead_s": 0.002, "within_s": 0.0004},
    "packets": [
        {"source": "10.0.0.2", "own": "10.0.0.1", "what": "cut", "packets": 1200},
        {"source": "10.0.0.3", "own": "10.0.0.1", "what": "cut", "packets": 34},
        {"source": "10.0.0.3", "own": "10.0.0.1", "what": "passed", "packets": 7},
        {"source": "10.0.0.3", "own": "10.0.0.1", "what": "doubled", "packets": 2},
    ],
}


@pytest.fixture
def run(build: Callable[..., Any], tmp_path: Path) -> Path:
    """A run directory of one's own."""
    folder = tmp_path / "run"
    build(folder, ops=200)
    return folder


def test_the_page_tells_of_hosts_what_hosts_json_says(run: Path) -> None:
    assert 'id="hosts"' not in html.render(document(run))
    (run / "hosts.json").write_text(json.dumps({"schema": 1, "hosts": {"h<1>": HOST}}))
    page = html.render(document(run))
    assert 'id="hosts"' in page
    for said in (
        "h&lt;1&gt;",
        "n1 at 10.0.0.1:8848",
        "Linux &lt;6&gt; x86_64",
        "−1.25 s ± 0.5 ms, in the end 2.0 ms ± 0.4 ms",
        "1,234 cut; 2 doubled",
    ):
        assert said in page


@pytest.mark.parametrize("ahead_s", [5.0, 100.0, 3600.0, -5.0])
@pytest.mark.parametrize("stamp", ["%Y-%m-%dT%H:%M:%S.%fZ", "%H:%M:%S.%f"])
def test_lines_are_placed_by_our_clock_however_wrong_the_hosts_was(
    run: Path, ahead_s: float, stamp: str
) -> None:
    host = HOST | {"clock_before": {"ahead_s": ahead_s, "within_s": 0.0005}}
    (run / "hosts.json").write_text(json.dumps({"hosts": {"h1": host}}))
    times = {"I begin": 0.05, "five seconds earlier": 5.05, "I answer the witness": 10.05}
    zero = read(run).zero
    assert zero is not None
    lines = (
        f"{(zero + timedelta(seconds=at_s + ahead_s)).strftime(stamp)} {text}\n"
        for text, at_s in times.items()
    )
    RunDir(run).node_log("n1").write_text("".join(lines))
    found = document(run)
    placed = {line.text: line.time for line in found.merged.lines if line.node == "n1"}
    assert placed == {text: round(at_s * 1e6) for text, at_s in times.items()}
    (log,) = [log for log in _logs(read(run), found.end) if log.node == "n1"]
    near = log.around([10_000_000, 10_100_000])
    assert near.note == "Within a second of the witness."
    assert [line.text for line in near.lines] == ["I answer the witness"]


@pytest.mark.parametrize("ahead_s", [1e300, -1e12])
def test_a_clock_that_cannot_be_so_wrong_costs_nothing(run: Path, ahead_s: float) -> None:
    host = HOST | {"clock_before": {"ahead_s": ahead_s}}
    (run / "hosts.json").write_text(json.dumps({"hosts": {"h1": host}}))
    assert "n1" in {line.node for line in document(run).merged.lines}


@pytest.mark.parametrize("text", ["{", "[]", '{"hosts": {"h1": {"members": 3}}}', "\x00"])
def test_a_file_of_hosts_that_makes_no_sense_is_named_and_left_out(run: Path, text: str) -> None:
    (run / "hosts.json").write_text(text)
    found = document(run)
    assert [said for said in found.missing if said.startswith("hosts.json cannot be read (")]
    assert 'id="hosts"' not in html.render(found)


def test_packets_that_only_passed_are_not_worth_a_word() -> None:
    quiet = HostFacts(packets=(PacketFacts(what="passed", packets=9),), clock_after=ClockFacts())
    shown = str(hosts_section({"h1": quiet}))
    assert "passed" not in shown
    assert "–" in shown
    assert hosts_section({}) is None
