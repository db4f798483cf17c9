"""Calls among the nodes of a cluster: answered once, by whoever is asked, or given up."""

from typing import Any

import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.service.call import Call
from delphic.impl.service.forwarding import Forwarding
from delphic.impl.wire import Failure, Frame, FrameError, Request, Result
from hand_clock import HandClock

LOST = RequestError("Disconnected", True, "no link")
PATIENCE_S = 4.0


class Two:
    """Two nodes, n1 and n2, with a link that a test may cut; n2 doubles numbers."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.is_cut = False
        self.mute = False
        self.callers: list[Call] = []
        self.one = self.started("n1", 1)
        self.two = self.started("n2", 1)
        self.answers: list[Any] = []

    def started(self, alias: str, incarnation: int) -> Forwarding:
        made = Forwarding(alias, self.clock, self.sent_by(alias), PATIENCE_S)
        made.begin(incarnation)
        made.offer({"double": (tuple[int], self.double)})
        return made

    def double(self, call: Call, number: int) -> None:
        self.callers.append(call)
        if not self.mute:
            refusal = RequestError("BadRequest", True, "too large")
            call.answer(refusal if number > 99 else 2 * number)

    def sent_by(self, alias: str) -> Any:
        def send(to: str, frame: Frame) -> bool:
            assert to != alias
            if self.is_cut:
                return False
            self.clock.call_soon(lambda: self.arrived(alias, frame))
            return True

        return send

    def arrived(self, alias: str, frame: Frame) -> None:
        other = self.two if alias == "n1" else self.one
        match frame:
            case Request():
                other.serve(alias, frame)
            case Result(id=number, value=value):
                other.returned(alias, number, value)
            case Failure(id=number, name=name, definite=definite, message=message):
                other.returned(alias, number, RequestError(name, definite, message))

    def ask(self, alias: str, number: Any, patience_s: float | None = None) -> None:
        self.one.ask(alias, "double", (number,), self.answers.append, LOST, patience_s)
        self.clock.advance(0)


def test_a_peer_answers_and_knows_who_asked() -> None:
    two = Two()
    two.ask("n2", 4)
    assert two.answers == [8]
    assert (two.callers[0].peer, two.callers[0].user) == ("n1", None)
    assert two.clock.alarms == [] or all(alarm.cancelled for alarm in two.clock.alarms)


def test_a_node_may_ask_itself() -> None:
    two = Two()
    two.ask("n1", 3)
    assert two.answers == [6]
    assert two.callers[0].peer == "n1"


def test_a_refusal_of_a_peer_is_the_answer() -> None:
    two = Two()
    two.ask("n2", 100)
    two.ask("n2", "four")
    assert [(error.name, error.definite) for error in two.answers] == 2 * [("BadRequest", True)]


def test_without_a_link_nobody_was_asked() -> None:
    two = Two()
    two.is_cut = True
    two.ask("n2", 4)
    assert two.answers == [LOST]


@pytest.mark.parametrize("alias", ["n2", "n1"])
@pytest.mark.parametrize(("patience_s", "waits_s"), [(None, PATIENCE_S), (1.5, 1.5)])
def test_who_is_silent_has_perhaps_done_it_and_what_comes_later_is_not_heard(
    patience_s: float | None, waits_s: float, alias: str
) -> None:
    two = Two()
    two.mute = True
    two.ask(alias, 4, patience_s)
    two.clock.advance(waits_s - 0.1)
    assert two.answers == []
    two.clock.advance(0.2)
    assert [(error.name, error.definite) for error in two.answers] == [("Indeterminate", False)]
    two.callers[0].answer(8)
    two.clock.advance(1)
    assert len(two.answers) == 1


def test_an_answer_waits_for_the_link_on_which_it_travels() -> None:
    two = Two()
    two.mute = True
    two.ask("n2", 4)
    two.is_cut = True
    two.callers[0].answer(8)
    two.clock.advance(1)
    assert two.answers == []
    two.is_cut = False
    two.clock.advance(0.2)
    assert two.answers == [8]
    two.clock.advance(PATIENCE_S)
    assert len(two.answers) == 1


def test_an_answer_waits_no_longer_than_anybody_waits_for_it() -> None:
    two = Two()
    two.mute = True
    two.ask("n2", 4)
    two.is_cut = True
    two.callers[0].answer(8)
    two.clock.advance(PATIENCE_S + 0.2)
    assert two.clock.alarms == []
    assert [error.name for error in two.answers] == ["Indeterminate"]


def test_a_process_takes_no_answer_to_the_one_before_it() -> None:
    """Else an old vote or decision would be that of another transaction."""
    two = Two()
    two.mute = True
    two.ask("n2", 4)
    two.one = two.started("n1", 2)
    two.ask("n2", 50)
    two.callers[0].answer(8)
    two.clock.advance(1)
    assert two.answers == []
    two.callers[1].answer(100)
    two.clock.advance(1)
    assert two.answers == [100]


def test_only_who_was_asked_answers() -> None:
    two = Two()
    two.mute = True
    asked: list[int] = []
    serve = two.two.serve

    def listen(alias: str, request: Request) -> None:
        asked.append(request.id)
        serve(alias, request)

    two.two.serve = listen  # type: ignore[method-assign]
    two.ask("n2", 4)
    two.one.returned("n3", asked[0], 9)
    assert two.answers == []
    two.one.returned("n2", asked[0], 8)
    assert two.answers == [8]


def test_nobody_waits_for_a_peer_that_is_gone() -> None:
    two = Two()
    two.mute = True
    two.ask("n2", 4)
    two.one.gone("n3")
    assert two.answers == []
    two.one.gone("n2")
    assert [(error.name, error.definite) for error in two.answers] == [("Indeterminate", False)]
    two.callers[0].answer(8)
    two.clock.advance(PATIENCE_S + 1)
    assert len(two.answers) == 1


def test_what_is_for_nobody_ends_the_connection() -> None:
    two = Two()
    with pytest.raises(FrameError, match="login is not for peers"):
        two.two.serve("n1", Request(1, "login", ("a", "b")))
