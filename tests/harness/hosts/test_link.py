"""What becomes of a command when its connection dies under it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import paramiko
import pytest
from delphic.harness.hosts.link import Lost, Place


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
