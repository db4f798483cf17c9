"""Messages around a moment: who told whom what, found in long traces, lost ones and all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delphic.reports.document import Document
from delphic.reports.messages import EVENTS_MAX, Exchange, exchanges
from delphic.reports.spacetime import spacetime_section, spoken

Documents = Callable[[str], Document]
ZERO_NS = 7_000_000_000


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
        (found,) = exchanges(self.paths, ZERO_NS, [("it", round(ms * 1000), ())])
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
    assert exchanges(traces.paths, None, [("it", 100_000, ())]) == ()
    assert exchanges(traces.paths, ZERO_NS, [("it", 90_000_000, ())]) == ()
    assert exchanges({}, ZERO_NS, [("it", 100_000, ())]) == ()


def test_moments_that_show_the_same_are_one(traces: Traces) -> None:
    traces.note("n1", 100, TIMER, out=[message(1)])
    moments = [("it", 100_000, ()), ("again", 100_000, ())]
    assert [one.name for one in exchanges(traces.paths, ZERO_NS, moments)] == ["it"]


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
