"""The way to the leader: redirects, waits, what is asked again, and what ends as unknown."""

from typing import Any

import pytest
from delphic.impl.client.errors import RequestError, not_leader
from delphic.impl.cluster.controllers import PATIENCE_S_MIN, Controllers
from delphic.impl.config import CLUSTER_FILE, CONTROLLER_FILE, NODES_FILE, NodeConfig, load
from delphic.impl.site import Site
from hand_clock import HandClock

NODES = (
    "localSite,mode\n"
    + "".join(f"h:{n}:c{n},controller\n" for n in (1, 2, 3))
    + "h:9:n1,datanode\n"
)


def config(tick: int = 20) -> NodeConfig:
    files = {
        NODES_FILE: NODES,
        CLUSTER_FILE: f"raftElectionTick={tick}\n",
        CONTROLLER_FILE: f"raftElectionTick={tick}\n",
    }
    return load("/home", "n1", lambda path: files[path].encode())


class Wire:
    """Collects what is asked; a test answers."""

    def __init__(self, tick: int = 20) -> None:
        self.clock = HandClock()
        self.asked: list[tuple[str, Any]] = []
        self.answers: list[Any] = []
        self.controllers = Controllers(config(tick), self.clock, self.ask)

    def ask(
        self,
        alias: str,
        function: str,
        args: tuple[Any, ...],
        answer: Any,
        lost: RequestError,
        patience_s: float | None = None,
    ) -> None:
        assert lost.definite
        assert patience_s is not None
        self.asked.append((alias, answer))
        self.patience_s = patience_s

    def begin(self, function: str = "txnBegin") -> None:
        self.controllers.ask(function, (), self.answers.append)

    def reply(self, value: Any) -> str:
        """Answer what was asked last; gives who was asked."""
        alias, answer = self.asked[-1]
        answer(value)
        return alias

    @property
    def last(self) -> str:
        return self.asked[-1][0]


def passing(name: str, *, definite: bool = True) -> RequestError:
    return RequestError(name, definite, name)


UNKNOWN = passing("Indeterminate", definite=False)


def test_the_leader_is_followed_at_once_and_remembered() -> None:
    wire = Wire()
    wire.begin()
    assert wire.reply(not_leader(Site("h", 3, "c3"))) == "c1"
    assert wire.last == "c3"
    wire.reply({"tid": 1})
    assert wire.answers == [{"tid": 1}]
    wire.begin()
    assert wire.last == "c3"


def test_without_a_leader_one_after_another_is_asked_with_pauses() -> None:
    wire = Wire()
    wire.begin()
    seen = []
    for number in (1, 2, 3):
        seen.append(wire.reply(not_leader(Site("h", number, f"c{number}"))))
        assert len(wire.asked) == number, "no pause"
        wire.clock.advance(1)
    assert seen == ["c1", "c2", "c3"]
    assert wire.last == "c1"


def test_a_circle_of_redirects_ends_in_a_pause() -> None:
    wire = Wire()
    wire.begin()
    for _ in range(10):
        other = "c2" if wire.last == "c1" else "c1"
        before = len(wire.asked)
        wire.reply(not_leader(Site("h", 1, other)))
        if len(wire.asked) == before:
            return
    raise AssertionError("redirected for ever")


@pytest.mark.parametrize("name", ["Busy", "Overloaded"])
def test_what_passes_is_waited_for_where_it_is(name: str) -> None:
    wire = Wire()
    wire.begin("ddl")
    assert wire.reply(passing(name)) == "c1"
    wire.clock.advance(0.1)
    assert wire.last == "c1"
    wire.reply(7)
    assert wire.answers == [7]


def test_a_refusal_is_an_answer() -> None:
    wire = Wire()
    wire.begin()
    refusal = passing("NoSuchTable")
    wire.reply(refusal)
    assert wire.answers == [refusal]
    assert wire.clock.alarms == []


def test_what_may_be_done_again_is_asked_again_elsewhere() -> None:
    wire = Wire()
    wire.begin("txnCommit")
    assert wire.reply(UNKNOWN) == "c1"
    wire.clock.advance(0.1)
    assert wire.last == "c2"
    wire.reply(3)
    assert wire.answers == [3]


@pytest.mark.parametrize("function", ["ddl", "setFlag", "userSet", "userRemove", "replicate"])
def test_what_must_not_be_done_twice_ends_as_unknown(function: str) -> None:
    wire = Wire()
    wire.begin(function)
    wire.reply(UNKNOWN)
    assert wire.answers == [UNKNOWN]


@pytest.mark.parametrize(
    ("first", "rest", "name", "definite"),
    [
        (passing("Disconnected"), passing("Disconnected"), "Timeout", True),
        (UNKNOWN, passing("Disconnected"), "Indeterminate", False),
        (passing("Disconnected"), passing("Busy"), "Busy", True),
    ],
)
def test_in_the_end_it_says_whether_anybody_may_have_done_it(
    first: RequestError, rest: RequestError, name: str, definite: bool
) -> None:
    wire = Wire()
    wire.begin()
    wire.reply(first)
    for _ in range(200):
        if wire.answers:
            break
        count = len(wire.asked)
        wire.clock.advance(0.6)
        if len(wire.asked) > count:
            wire.reply(rest)
    (told,) = wire.answers
    assert (told.name, told.definite) == (name, definite)
    assert wire.clock.now_ns() <= (PATIENCE_S_MIN + 1) * 1e9


@pytest.mark.parametrize(("tick", "attempt_s"), [(20, PATIENCE_S_MIN / 3), (800, 16.0)])
def test_who_says_nothing_is_given_up_as_soon_as_it_cannot_lead_any_more(
    tick: int, attempt_s: float
) -> None:
    """With the documents' election tick, too, before clients give up, who wait half a minute."""
    wire = Wire(tick)
    wire.begin("userSet")
    assert wire.patience_s == pytest.approx(attempt_s)
    assert attempt_s < 30
    wire.reply(UNKNOWN)
    assert [error.name for error in wire.answers] == ["Indeterminate"]
