"""Messages around a moment: who told whom what, found in long traces, lost ones and all."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.clocks import Clocks, Course, shared
from delphic.harness.rundir import RunDir
from delphic.reports.page.document import Document, document
from delphic.reports.page.messages import EVENTS_MAX, Exchange, exchanges
from delphic.reports.page.spacetime import spacetime_section, spoken

Documents = Callable[[str], Document]
ZERO_NS = 7_000_000_000
RECORDED_NS = 5_000_000_000
"""The zero of the run that is made once for all."""


class Traces:
    """Traces of members, written record by record; times in milliseconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: dict[str, Path] = {}

    def note(self, node: str, ms: float, event: dict[str, Any], **more: Any) -> None:
        post = {"term": 1, "role": "follower", "commit": 0} | more.pop("post", {})
        record = {"node": node, "t_ns": ZERO_NS + int(ms * 1e6), "event": event, "post": post}
        self.write(node, json.dumps(record | {"out": [], "held": []} | more) + "\n")

    def write(self, node: str, text: str) -> None:
        path = self.paths.setdefault(node, self.folder / f"{node}.jsonl")
        with path.open("a") as stream:
            stream.write(text)

    def around(self, ms: float) -> Exchange:
        (found,) = exchanges(self.paths, shared(ZERO_NS), [("it", round(ms * 1000), ())])
        return found


def message(number: int, target: str = "n2", **fields: Any) -> dict[str, Any]:
    uid = ["n1", 1, number]
    return {"uid": uid, "dst": target, "kind": "AppendRequest", "fields": {"term": 1} | fields}


def received(number: int) -> dict[str, Any]:
    told = {"kind": "AppendRequest", "fields": {"term": 1}}
    return {"kind": "received", "uid": ["n1", 1, number], "message": told}


TIMER = {"kind": "timer", "timer": "heartbeat"}


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    return Traces(tmp_path)


def test_a_message_is_joined_with_its_arrivals(traces: Traces) -> None:
    traces.note("n1", 100, TIMER, out=[message(1), message(2, entries=[[3, 1, "x"]])])
    traces.note("n2", 103, received(1))
    traces.note("n2", 104, received(1))
    one, two = traces.around(102).messages
    assert (one.source, one.target, one.sent, one.arrived) == (
        "n1",
        "n2",
        100_000,
        (103_000, 104_000),
    )
    assert (one.text, two.text) == ("heartbeat 1", "append 1, 1 new")
    assert two.arrived == ()
    assert "after 3.0 ms, 2 times" in spoken(one)
    assert "did not arrive" in spoken(two)


def test_a_held_message_is_sent_when_it_is_released(traces: Traces) -> None:
    traces.note("n1", 100, TIMER, held=[message(1), message(2)])
    traces.note("n1", 150, {"kind": "persisted", "released": [["n1", 1, 1]]})
    (found,) = traces.around(150).messages
    assert (found.sent, found.target) == (150_000, "n2")


def test_what_a_killed_sender_lost_is_told_by_who_heard_it(traces: Traces) -> None:
    traces.note("n1", 90, TIMER)
    traces.note("n2", 103, received(1))
    (found,) = traces.around(102).messages
    assert (found.sent, found.arrived) == (None, (103_000,))
    assert "at an unknown time" in spoken(found)


def test_turns_say_what_became_of_members(traces: Traces) -> None:
    traces.note("n1", 1, {"kind": "boot"})
    traces.note("n1", 90, TIMER, post={"role": "leader", "term": 2})
    traces.note("n1", 95, TIMER, post={"role": "leader", "term": 2, "commit": 4})
    traces.note("n1", 99, TIMER, post={"role": "leader", "term": 2, "commit": 4})
    traces.note("n1", 100, {"kind": "stop"}, post={"role": "leader", "term": 2, "commit": 4})
    told = [turn.text for turn in traces.around(95).turns]
    assert told == ["starts; follower, term 1", "leader, term 2", "commit 4", "ends"]


def test_a_moment_is_found_in_a_long_trace_and_only_the_nearest_are_shown(traces: Traces) -> None:
    for turn in range(4_000):
        traces.note("n1", turn * 10, TIMER, out=[message(turn)])
        traces.note("n2", turn * 10 + 1, received(turn))
    found = traces.around(25_000)
    assert found.is_cut
    assert found.begin < 25_000_000 < found.end
    events = [m.sent for m in found.messages] + [t for m in found.messages for t in m.arrived]
    assert EVENTS_MAX - 2 <= len(events) <= EVENTS_MAX + 4
    assert found.before[1].role == "follower"
    assert max(abs(time - 25_000_000) for time in events if time) < 400_000


TORN = f'{{"node":"n1","t_ns":{ZERO_NS + 10**8},"event":{{"ki'


@pytest.mark.parametrize("damage", ["{torn", "\n\n", "\x00\xff\n", TORN, "[" * 10_000])
def test_damaged_lines_are_passed_over(traces: Traces, damage: str) -> None:
    traces.write("n1", damage if damage.endswith("\n") else damage + "\n")
    traces.note("n1", 100, TIMER, out=[message(1)])
    traces.write("n1", damage)
    assert len(traces.around(100).messages) == 1


def test_without_a_common_clock_or_anything_near_there_is_nothing(traces: Traces) -> None:
    traces.note("n1", 100, TIMER, out=[message(1)])
    traces.paths["n2"] = traces.folder / "empty"
    traces.paths["n2"].touch()
    assert exchanges(traces.paths, Clocks(), [("it", 100_000, ())]) == ()
    assert exchanges(traces.paths, shared(ZERO_NS), [("it", 90_000_000, ())]) == ()
    assert exchanges({}, shared(ZERO_NS), [("it", 100_000, ())]) == ()


def test_a_message_whose_target_left_no_trace_may_have_arrived(traces: Traces) -> None:
    traces.note("n1", 100, TIMER, out=[message(1, "n9")])
    (found,) = traces.around(100).messages
    assert not found.is_lost
    assert "arrived nobody knows when" in spoken(found)


def test_an_arrival_that_two_clocks_put_before_its_sending_took_no_time(traces: Traces) -> None:
    traces.note("n1", 100, TIMER, out=[message(1)])
    traces.note("n2", 99, received(1))
    (found,) = traces.around(100).messages
    assert spoken(found).endswith("arrived at 0.0990 s")


def test_who_has_a_clock_that_nobody_knows_is_in_no_picture(traces: Traces) -> None:
    traces.note("n1", 100, TIMER, out=[message(1)])
    traces.note("n2", 103, received(1))
    known = Clocks(own={"n1": Course(ZERO_NS, 1.0, 2_000)})
    (found,) = exchanges(traces.paths, known, [("it", 100_000, ())])
    assert (found.members, found.within) == (("n1",), 2)


def on_hosts(run: RunDir) -> None:
    """The same run, had each member lived on a host of its own with a clock of its own."""
    zero, began, ended = 10**12, 10**12 - 10**9, 10**12 + 10**11
    hosts = {}
    for number, member in enumerate(run.node_aliases(), start=1):
        ahead, rate = number * 10**15, 1 + number / 20_000

        def theirs(ours: int, ahead: int = ahead, rate: float = rate) -> int:
            return ahead + round((ours - zero) * rate)

        def moved(found: re.Match[str], theirs: Callable[[int], int] = theirs) -> str:
            return f'"t_ns": {theirs(int(found.group(1)) - RECORDED_NS + zero)}'

        trace = run.node_trace(member)
        trace.write_text(re.sub(r'"t_ns": ?(\d+)', moved, trace.read_text()))
        looks = {
            f"steady_{name}": {"ours_ns": at, "theirs_ns": theirs(at), "within_ns": 300_000}
            for name, at in (("before", began), ("after", ended))
        }
        hosts[f"h{number}"] = {"members": {member: f"10.0.0.{number}:1"}, **looks}
    run.hosts.write_text(json.dumps({"hosts": hosts}))
    journal = run.journal.read_text()
    assert str(RECORDED_NS) in journal
    run.journal.write_text(journal.replace(f'"zero_ns": {RECORDED_NS}', f'"hosts_zero_ns": {zero}'))


def test_hosts_with_clocks_of_their_own_are_drawn_on_one_scale(
    documents: Documents, copied: Callable[[str], Path]
) -> None:
    expected = documents("fail").exchanges
    run = RunDir(copied("fail"))
    on_hosts(run)
    found = document(run.path)
    assert len(found.exchanges) == len(expected) > 0
    for one, other in zip(found.exchanges, expected, strict=True):
        assert one.within == 300
        assert [m.text for m in one.messages] == [m.text for m in other.messages]
        for mine, its in zip(one.messages, other.messages, strict=True):
            assert mine.first == pytest.approx(its.first, abs=2)
    section = spacetime_section(found)
    assert section is not None
    assert "give or take 0.3 ms" in section.text
    assert "give or take" not in str(spacetime_section(documents("fail")))


def test_moments_that_show_the_same_are_one(traces: Traces) -> None:
    traces.note("n1", 100, TIMER, out=[message(1)])
    moments = [("it", 100_000, ()), ("again", 100_000, ())]
    assert [one.name for one in exchanges(traces.paths, shared(ZERO_NS), moments)] == ["it"]


def test_the_picture_has_an_arrow_for_each_message_and_the_table_a_row(
    documents: Documents,
) -> None:
    document = documents("fail")
    section = spacetime_section(document)
    assert section is not None
    assert [one.name for one in document.exchanges][:1] == ["Witness 1"]
    drawn = sum(len(one.messages) for one in document.exchanges)
    assert section.text.count("<title>") == drawn > 10
    rows = drawn + sum(len(one.turns) + len(one.marks) for one in document.exchanges)
    assert section.text.count("<tr") == rows + len(document.exchanges)
    lost = sum(not m.arrived for one in document.exchanges for m in one.messages)
    assert section.text.count('class="flight lost"') == lost > 0
    assert "W1 append" in section.text


def test_a_run_without_violation_has_no_such_section(documents: Documents) -> None:
    assert documents("pass").exchanges == ()
    assert spacetime_section(documents("pass")) is None


def test_names_of_messages_are_text(documents: Documents, hostile_text: str) -> None:
    section = spacetime_section(documents("hostile"))
    assert section is not None
    assert "&lt;img" in section.text
    assert "<img" not in section.text
    assert hostile_text not in section.text
