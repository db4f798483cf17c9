"""The agent's loop: requests in, answers and events out, and the lease that all of it hangs on.

A request is a line {"id", "do", …arguments}; its answer {"id", "ok"} or {"id", "error"}. Requests
may overlap. Any request renews the lease. The end of the input, a lapsed lease, a signal, or an
output that nobody reads ends the run, and everything is undone.
"""

import asyncio
import contextlib
import inspect
import json
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from . import tool
from .guardian import Guardian
from .parts import PARTS, UNDO, Verb
from .proc import here, me
from .run import MARK, Refused, Run, plain
from .undo import Owner, UndoLog, finish, hold_tools, in_use

PROTOCOL = 1

_LINE_BYTES_MAX = 1 << 25
_UNREAD_BYTES_MAX = 1 << 26

_INPUT, _OUTPUT = 0, 1

_RENEWALS_A_LEASE = 4
"""Of what would heal by itself: no more often, however many requests come."""

_LEFT_ALONE = 3
"""Exit code of an agent that undid everything without being asked to."""


class Ended(Exception):
    """The run is over: by a request, whose id that is, or because the agent was left alone."""

    def __init__(self, why: str, request: object = None) -> None:
        super().__init__(why)
        self.why = why
        self.request = request


def serve(
    state: Path, name: str, lease_s: float, spare_port: int | None, *, has_loops: bool
) -> int:
    """Serve one run until it ends; returns the exit code."""
    folder = state / "runs" / plain(name)
    refused = _claim(folder, name)
    if refused:
        sys.stderr.write(refused + "\n")
        return 1
    guardian = Guardian(folder, lease_s, UNDO, me())
    with tool.holding(hold_tools(folder)):
        server = _Server(folder, name, lease_s, spare_port, guardian, has_loops=has_loops)
        ended = asyncio.run(server.serve())
    failed = finish(folder, UNDO)
    guardian.bye()
    with contextlib.suppress(OSError):  # Nobody may be listening any more.
        if ended.request is not None:
            os.write(_OUTPUT, _line({"id": ended.request, "ok": failed}))
        else:
            sys.stderr.write("\n".join((f"ended: {ended.why}", *failed, "")))
            sys.stderr.flush()
    return _LEFT_ALONE if ended.request is None else 0


def _claim(folder: Path, name: str) -> str | None:
    """Make the run's folder ours, its predecessor's undone first; or why it cannot be."""
    if (folder / "agent.json").exists():
        try:
            _, agent, place = Owner(folder).read()
        except ValueError as error:
            return f"run {name} cannot be served here: {error}"
        why = in_use(agent, place)
        if why:
            return f"run {name} cannot be served here: it {why}"
        failed = finish(folder, UNDO)
        if failed:
            return f"run {name} has left something behind: {'; '.join(failed)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    Owner(folder).write(name, me())
    return None


class _Server:
    def __init__(
        self,
        folder: Path,
        name: str,
        lease_s: float,
        spare_port: int | None,
        guardian: Guardian,
        *,
        has_loops: bool,
    ) -> None:
        self._lease_s = lease_s
        self._guardian = guardian
        self._run = Run(
            name=name,
            folder=folder,
            lease_s=lease_s,
            mark=f"{MARK}={uuid.uuid4().hex}",
            spare_port=spare_port,
            has_loops=has_loops,
            log=UndoLog(folder),
            say=self._say,
        )
        self._verbs: dict[str, Verb] = {"beat": self._beat, "hello": self._hello}
        self._heard = time.monotonic()
        self._renewed = -lease_s
        self._wake = asyncio.Event()
        self._output: asyncio.WriteTransport | None = None

    async def serve(self) -> Ended:
        for part in PARTS:
            self._verbs.update(part(self._run).verbs())
        loop = asyncio.get_running_loop()
        requests = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(requests), os.fdopen(os.dup(_INPUT), "rb")
        )
        # A copy, for the last answer is written when the loop and its copy are gone.
        self._output, _ = await loop.connect_write_pipe(
            asyncio.Protocol, os.fdopen(os.dup(_OUTPUT), "wb", 0)
        )
        self._say({"event": "ready", **await self._hello()})
        found: list[BaseException] = []
        try:
            async with asyncio.TaskGroup() as group:
                for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                    loop.add_signal_handler(number, lambda: group.create_task(_ended_by_signal()))
                group.create_task(self._watch())
                group.create_task(self._renew())
                await self._read(requests, group)
        except* Ended as ended:
            found.extend(ended.exceptions)
        self._guardian.ending()
        for end in self._run.endings:
            await end()
        first = found[0]
        assert isinstance(first, Ended)
        return first

    async def _read(self, requests: asyncio.StreamReader, group: asyncio.TaskGroup) -> None:
        while line := await requests.readline():
            self._heard = time.monotonic()
            self._guardian.renew()
            if self._heard - self._renewed >= self._lease_s / _RENEWALS_A_LEASE:
                self._renewed = self._heard
                self._wake.set()
            try:
                request = json.loads(line)
                number, do = request["id"], request["do"]
            except (ValueError, TypeError, KeyError) as error:
                raise Ended(f"the harness asks what is no request: {line[:80]!r}") from error
            if do == "bye":
                raise Ended("asked to end", number)
            group.create_task(self._carry_out(request))
        raise Ended("the harness hung up")

    async def _carry_out(self, request: Mapping[str, object]) -> None:
        arguments = {k: v for k, v in request.items() if k not in ("id", "do")}
        verb = self._verbs.get(str(request["do"]))
        try:
            if verb is None:
                raise Refused(f"unknown verb {request['do']}: one of {', '.join(self._verbs)}")
            try:
                inspect.signature(verb).bind(**arguments)
            except TypeError as error:
                raise Refused(f"{request['do']}: {error}") from error
            answer: dict[str, object] = {"ok": await _done(verb, arguments)}
        except (Refused, OSError, ValueError, TypeError) as error:
            answer = {"error": str(error)}
        self._answer(request, answer)

    def _answer(self, request: Mapping[str, object], answer: dict[str, object]) -> None:
        self._say({"id": request["id"], **answer})

    def _say(self, what: dict[str, object]) -> None:
        assert self._output is not None
        self._output.write(_line(what))

    async def _watch(self) -> None:
        """End the run when the lease lapses, or nobody takes what is said."""
        assert self._output is not None
        while True:
            left = self._heard + self._lease_s - time.monotonic()
            if left <= 0:
                raise Ended(f"nothing was heard from the harness for {self._lease_s:g} s")
            if self._output.get_write_buffer_size() > _UNREAD_BYTES_MAX:
                raise Ended("nobody reads what the agent says")
            await asyncio.sleep(min(left, 0.5))

    async def _beat(self) -> None:
        """Renew the lease, and whatever would heal by itself, as every request does."""

    async def _renew(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for renew in self._run.renewals:
                try:
                    await renew()
                except (Refused, OSError) as error:
                    # Somebody took our rules away: that ends no run here, but the harness's trust.
                    self._say({"event": "failed", "what": "renewal", "why": str(error)})

    async def _hello(self) -> dict[str, object]:
        """Who answers here, and where."""
        agent = me()
        return {
            "protocol": PROTOCOL,
            "pid": agent.pid,
            "start": agent.start,
            "guardian": self._guardian.pid,
            "boot": here().boot,
            "python": sys.version.split()[0],
            "root": os.geteuid() == 0,
            "time_ns": time.time_ns(),
            "steady_ns": time.monotonic_ns(),
            "verbs": sorted([*self._verbs, "bye"]),
        }


async def _done(verb: Verb, arguments: dict[str, object]) -> object:
    if inspect.iscoroutinefunction(verb):
        return await verb(**arguments)
    return await asyncio.to_thread(verb, **arguments)


def _line(what: Mapping[str, object]) -> bytes:
    return json.dumps(what).encode() + b"\n"


async def _ended_by_signal() -> None:
    raise Ended("the agent was told to end by a signal")
