"""The subscriber program of the harness, on a subscription and a session made up for it."""

import asyncio
from typing import Any

import pytest
from delphic.harness.op import OpType
from delphic.harness.system import Site
from delphic.harness.systems import subscriber
from delphic.impl.client.errors import TOPIC_EXISTS, RequestError
from delphic.impl.client.subscribing import Note

ASKED = {"offset": 0, "persist": True}
HELD = 3
"""So many rows the table holds."""


class Group:
    """Whom subscriptions ask: the first are refused, as many as `refusals` says."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def subscription(self, *_: Any, told: Any, **__: Any) -> Any:
        return Subscription(self, told)

    def session(self, *_: Any, **__: Any) -> Any:
        return Session()


class Subscription:
    """Is refused, or gets all that the table holds."""

    def __init__(self, group: Group, told: Any) -> None:
        self._group = group
        self._told = told
        self.is_live = False

    async def run(self) -> None:
        if self._group.refusals:
            self._group.refusals -= 1
            raise RequestError(TOPIC_EXISTS, True, "the one before is not forgotten yet")
        self.is_live = True
        self._told(Note("live", 0, 0, "n1", 1))
        self._told(Note("handled", 0, HELD, "n1", 1))
        await asyncio.get_running_loop().create_future()


class Session:
    async def call(self, *_: Any, **__: Any) -> Any:
        return {"end": HELD}

    def close(self) -> None:
        """Nothing is open."""


def drained(refusals: int, monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """What befell a subscriber that had crashed before its drain."""

    async def whole() -> list[list[Any]]:
        group = Group(0)
        monkeypatch.setattr(subscriber, "Subscription", group.subscription)
        monkeypatch.setattr(subscriber, "Session", group.session)
        sites = [Site("n1", "127.0.0.1", 1)]
        program = subscriber.SubscriberConnection(sites, "s", frozenset(), None)
        await program.perform("subscribe", "t", ASKED, 1.0)
        await program.perform("crash", "t", None, 1.0)
        program._next = 0
        group.refusals = refusals
        answer = await program.perform("drain", "t", None, 0.3)
        program.close()
        assert answer.type is OpType.OK
        return answer.value

    return asyncio.run(whole())


def test_a_drain_asks_again_while_the_life_before_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A leader that has not seen the old connection end refuses the new one for a moment."""
    events = [event[0] for event in drained(2, monkeypatch)]
    assert events == ["ended", "ended", "live", "handled"]


def test_a_drain_that_is_refused_all_the_time_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    events = {event[0] for event in drained(1_000_000, monkeypatch)}
    assert events == {"ended"}


@pytest.mark.parametrize("what", ["receive", "crash"])
def test_a_bug_of_the_client_library_is_no_lost_row(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(self: Subscription) -> None:
        self.is_live = True
        self._told(Note("live", 0, 0, "n1", 1))
        raise KeyError("a bug")

    async def whole() -> None:
        monkeypatch.setattr(Subscription, "run", breaks)
        monkeypatch.setattr(subscriber, "Subscription", Group(0).subscription)
        program = subscriber.SubscriberConnection([Site("n1", "::1", 1)], "s", frozenset(), None)
        await program.perform("subscribe", "t", ASKED, 1.0)
        with pytest.raises(KeyError, match="a bug"):
            await program.perform(what, "t", None, 0.1)

    asyncio.run(whole())
