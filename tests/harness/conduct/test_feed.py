"""Traces that grow under the reader: whole lines, torn ones, deaths and power cuts."""

import json
from typing import Any

from delphic.harness.conduct.feed import Feed
from delphic.harness.conduct.triggers import MemberState


def line(alias: str, t_ns: int, **post: Any) -> bytes:
    said = {"term": 1, "vote": None, "role": "follower", "leader": None, "commit": 0} | post
    record = {"node": alias, "inc": 1, "seq": 0, "t_ns": t_ns, "group": 2, "event": {"kind": "x"}}
    return (
        json.dumps(record | {"post": {"last": [0, 0], **said}}, separators=(",", ":")).encode()
        + b"\n"
    )


class Traces:
    """Two traces in memory."""

    def __init__(self) -> None:
        self.data = {"n1": b"", "n2": b""}
        self.dead: set[str] = set()
        self.asked_bytes = 0
        self.feed = Feed(["n1", "n2"], self.read, lambda alias: alias not in self.dead)

    def read(self, alias: str, start: int) -> bytes | None:
        if start > len(self.data[alias]):
            return None
        self.asked_bytes += len(self.data[alias]) - start
        return self.data[alias][start:]


def test_every_step_is_seen_once_in_the_order_of_the_clocks() -> None:
    traces = Traces()
    assert traces.feed.advance() == [{}]
    traces.data["n2"] += line("n2", 20, term=2)
    traces.data["n1"] += line("n1", 10, commit=3, last=[4, 1]) + line("n1", 30, role="leader")
    first = MemberState(term=1, commit=3, last=4, last_term=1)
    last = MemberState(term=1, role="leader")
    other = MemberState(term=2)
    assert traces.feed.advance() == [
        {"n1": first},
        {"n1": first, "n2": other},
        {"n1": last, "n2": other},
        {"n1": last, "n2": other},
    ]
    assert traces.feed.advance() == [{"n1": last, "n2": other}]


def test_a_line_that_is_being_written_is_taken_when_it_is_whole() -> None:
    traces = Traces()
    whole = line("n1", 1, term=4)
    traces.data["n1"] += whole[:50]
    assert traces.feed.advance() == [{}]
    traces.data["n1"] += whole[50:]
    assert traces.feed.advance()[-1]["n1"].term == 4


def test_what_was_read_is_not_read_again() -> None:
    traces = Traces()
    for number in range(100):
        traces.data["n1"] += line("n1", number, term=number)
        traces.feed.advance()
    assert traces.asked_bytes == len(traces.data["n1"])


def test_the_first_line_after_a_torn_one_counts() -> None:
    traces = Traces()
    traces.data["n1"] += line("n1", 1, term=1) + line("n1", 2, term=2)[:60]
    traces.feed.advance()
    traces.data["n1"] += line("n1", 3, term=3) + b"nonsense\n"
    assert [found["n1"].term for found in traces.feed.advance()] == [3, 3]


def test_a_dead_member_has_no_role_and_its_next_process_is_a_follower() -> None:
    traces = Traces()
    traces.data["n1"] += line("n1", 1, term=3, role="leader", leader="n1", vote="n1")
    traces.feed.advance()
    traces.dead.add("n1")
    assert traces.feed.advance() == [{"n1": MemberState(term=3, vote="n1", alive=False)}]
    traces.dead.clear()
    assert traces.feed.advance() == [{"n1": MemberState(term=3, vote="n1")}]


def test_a_power_cut_may_take_back_what_was_read() -> None:
    traces = Traces()
    traces.data["n1"] += line("n1", 1, term=1) + line("n1", 2, term=2)
    traces.feed.advance()
    traces.data["n1"] = line("n1", 1, term=1)[:40]
    assert traces.feed.advance()[-1]["n1"].term == 2
    traces.data["n1"] += line("n1", 3, term=3)
    assert traces.feed.advance()[-1]["n1"].term == 3
