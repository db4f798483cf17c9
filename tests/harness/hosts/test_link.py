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
