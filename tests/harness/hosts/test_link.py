"""What becomes of a command when its connection dies under it, or its caller goes away."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import paramiko
import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts import link
from delphic.harness.hosts.inventory import Entry
from delphic.harness.hosts.link import Link, Lost, Place


class DeadChannel:
    """As the library's: on a connection that has died even closing fails, now and then."""

    def exec_command(self, command: bytes) -> None:
        """It was still alive."""

    def recv(self, size: int) -> bytes:
        raise EOFError

    recv_stderr = sendall = recv

    def shutdown_write(self) -> None:
        raise EOFError

    def close(self) -> None:
        raise EOFError


class DeadTransport:
    def open_session(self, timeout: float) -> Any:
        return DeadChannel()


def test_a_connection_that_dies_under_a_command_is_lost_even_where_closing_fails() -> None:
    with ThreadPoolExecutor(2) as threads:
        place = Place(cast(paramiko.Transport, DeadTransport()), threads, 1.0)
        with pytest.raises(Lost):
            place.run("true", [b""])
        place.abandon()


def test_a_host_that_starts_no_more_commands_now_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "_BACK_OFF_S", 0.0)
    refusals = [paramiko.ChannelException(2, "Connect failed") for _ in range(10)]

    def act(place: Place) -> str:
        if refusals:
            place.start("true")
        return "done"

    class FullTransport:
        def open_session(self, timeout: float) -> Any:
            raise refusals.pop()

        def is_active(self) -> bool:
            return True

    class Client:
        def get_transport(self) -> FullTransport:
            return FullTransport()

        def close(self) -> None:
            """Nothing is open."""

    async def work() -> str:
        one = Link(Entry("a", "192.0.2.1", "me"), 1.0, 0.0)
        try:
            return await one.alone("true", act, 1.0, again=False)
        finally:
            one.close()

    monkeypatch.setattr(link, "dial", lambda *_: Client())
    assert asyncio.run(work()) == "done"
    monkeypatch.setattr(link, "_FULL_S", 0.0)
    refusals.append(paramiko.ChannelException(2, "Connect failed"))
    with pytest.raises(WorldError, match="the host does not start true"):
        asyncio.run(work())


class SlowDial:
    """A host that is reached only once somebody says so, and the connection to it."""

    def __init__(self) -> None:
        self.begun, self.go, self.closed = (threading.Event() for _ in range(3))

    def __call__(self, entry: Entry, timeout_s: float, silence_s: float) -> "SlowDial":
        self.begun.set()
        assert self.go.wait(10)
        return self

    def close(self) -> None:
        self.closed.set()

    def get_transport(self) -> None:
        """Nobody should ask for it."""


@pytest.mark.parametrize("ends_by", ["cancelling", "closing"])
def test_a_connection_that_nobody_waits_for_any_more_is_closed(
    monkeypatch: pytest.MonkeyPatch, ends_by: str
) -> None:
    dial = SlowDial()
    monkeypatch.setattr(link, "dial", dial)

    async def work() -> None:
        one = Link(Entry("a", "192.0.2.1", "me"), 1.0, 0.0)
        asking = asyncio.create_task(one.alone("true", lambda place: None, 1.0, again=True))
        assert await asyncio.to_thread(dial.begun.wait, 10)
        if ends_by == "cancelling":
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            dial.go.set()
        else:
            one.close()
            dial.go.set()
            with pytest.raises(WorldError, match="has been closed"):
                await asking
        assert await asyncio.to_thread(dial.closed.wait, 10)
        one.close()

    asyncio.run(work())
