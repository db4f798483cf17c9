"""Probes that have to wait for the network."""

import asyncio
import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.agent import probes
from delphic.harness.agent.probes import Probes
from delphic.harness.agent.run import Run
from delphic.harness.agent.undo import UndoLog
from near_host import until


class Full(socket.socket):
    """Every other time there is no room for what is sent."""

    times = 0

    def sendto(self, *words: Any) -> int:
        Full.times += 1
        if Full.times % 2:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return super().sendto(*words)


def test_a_probe_waits_until_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = UndoLog(tmp_path)
    made = Probes(Run("mine", tmp_path, 1.0, "M=1", None, has_loops=False, log=log, say=print))

    async def go() -> None:
        own = "127.0.0.1"
        port = (await made.listen([own]))[own]
        with monkeypatch.context() as patched:
            patched.setattr(probes.socket, "socket", Full)
            await made.probe("token", [(own, own, port)], count=5)
        assert Full.times == 10
        assert await until(lambda: len(made._heard.get("token", {})) == 1)
        (heard,) = made._heard["token"].values()
        assert await until(lambda: heard.order == [0, 1, 2, 3, 4])
        asyncio.get_running_loop().remove_reader(made._sockets[own])
        made._sockets[own].close()

    asyncio.run(go())
