"""The harness's side of the agent on a host: requests, events, and the heartbeat of the lease."""

import asyncio
import contextlib
import json
import time
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any, Self

from ..agent.undo import HEALED
from ..errors import WorldError
from .channel import Channel
from .connection import Host
from .program import program

_READY_S = 20.0
_BYE_S = 30.0
_HEAL_S = 60.0
_LAST_WORDS_S = 2.0
_BEATS_A_LEASE = 3
_BEATS_MISSED_MAX = 3
_LINE_BYTES_MAX = 1 << 26

_QUIET = frozenset(
    (
        *("beat", "hello", "capabilities", "read", "list", "counters", "limits", "state"),
        *("listen", "probe", "heard"),
    )
)
"""What only asks changes nothing, and is not told of."""

_DIARY_MAX, _TOLD_MAX = 100_000, 300
"""Lines, and letters of one."""


_UNIT = """
unit=$1
shift
scope="systemd-run --scope --property=Delegate=yes --quiet --collect --no-ask-password"
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] &&
    timeout 10 $scope -- true < /dev/null > /dev/null 2>&1; then
    exec $scope --unit="$unit" --description="Delphic on this host" -- "$@"
fi
exec "$@"
"""
"""Where there is systemd, a run is a unit of its own: whatever ends the session that began it, as
logind may when a connection breaks, does not end those who then have to undo everything. The unit
is delegated to us: from groups that are in none such, systemd takes controllers away."""


async def heal(host: Host) -> tuple[list[str], bool]:
    """Undo what runs left on a host whose agents are dead: a sentence each, and whether all is.

    Runs that are being served are left alone. Raises WorldError.
    """
    words, sudo = await _brought(host, "heal")
    ran = await host.run(*words, sudo=sudo, timeout_s=_HEAL_S, again=True)
    said = ran.out.decode(errors="replace").splitlines()
    # What stands on stderr may be sudo's, or a shell's.
    if ran.code not in (0, 1) or said[-1:] != [HEALED]:
        raise WorldError("the agent cannot heal it", node=host.entry.name, detail=ran.said)
    return said[:-1], ran.code == 0


async def _brought(host: Host, verb: str) -> tuple[tuple[str, ...], bool]:
    """The words that start the agent's program there, and whether by sudo; it is brought first."""
    entry = host.entry
    path = f"{entry.directory}/agent/{program().name}"
    await host.put(program().content, path)
    words = (entry.python, path, verb, "--state", f"{entry.directory}/agent")
    return words, entry.is_sudo


class Agent:
    """An agent that serves one run on one host."""

    def __init__(self, name: str, channel: Channel, lease_s: float) -> None:
        self.name = name
        self.hello: dict[str, Any] = {}
        """What it said of itself when it began."""
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        """What it said without being asked: {"event": "ended", "name", "pid", "code"}."""
        self.diary: deque[tuple[float, str]] = deque(maxlen=_DIARY_MAX)
        """What it was asked to do, what came of it, and what it said by itself: at which time of
        our clock (seconds since 1970), and a line."""
        self._channel = channel
        self._lease_s = lease_s
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._lost: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, host: Host, run: str, lease_s: float) -> Self:
        """Bring the agent to the host and start it for this run. Raises WorldError."""
        entry = host.entry
        words, sudo = await _brought(host, "serve")
        # Several entries of an inventory may be one machine, or see one disk.
        label = f"{run} on {entry.name}"
        loops = () if entry.loop_devices else ("--no-loops",)
        more = ("--run", label, "--lease", f"{lease_s:g}", "--spare-port", str(entry.port), *loops)
        unit = ("sh", "-c", _UNIT, "sh", f"delphic-{uuid.uuid4().hex}")
        channel = await host.channel(*unit, *words, *more, sudo=sudo)
        agent = cls(entry.name, channel, lease_s)
        loop = asyncio.get_running_loop()
        agent._tasks.append(loop.create_task(agent._listen()))
        try:
            agent.hello = await asyncio.wait_for(agent._event("ready"), _READY_S)
        except TimeoutError as error:
            await agent.abandon()
            raise agent._error("the agent does not begin") from error
        except BaseException:
            await agent.abandon()
            raise
        agent._tasks.append(loop.create_task(agent._beat()))
        return agent

    @property
    def lost(self) -> str | None:
        """Why it is gone; None as long as it is there."""
        return self._lost

    @property
    def alive(self) -> bool:
        """Whether it was there when it was last heard of."""
        return self._lost is None

    async def call(self, do: str, *, timeout_s: float = 30.0, **arguments: object) -> Any:
        """Ask for one thing and wait for the answer. Raises WorldError if it is refused."""
        asked_s = time.time()
        try:
            answer = await self._call(do, timeout_s, arguments)
        except WorldError as error:
            self._note(do, asked_s, arguments, f"refused: {error.message}")
            raise
        self._note(do, asked_s, arguments, json.dumps(answer))
        return answer

    async def _call(self, do: str, timeout_s: float, arguments: Mapping[str, object]) -> Any:
        if self._lost is not None:
            raise self._error(f"cannot {do}: {self._lost}")
        self._number += 1
        number = self._number
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            line = json.dumps({"id": number, "do": do, **arguments}) + "\n"
            await self._channel.send(line.encode())
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as error:
            raise self._error(f"{do}: no answer within {timeout_s:g} s") from error
        finally:
            self._waiting.pop(number, None)

    async def bye(self) -> None:
        """Have everything undone, and the agent end. Raises WorldError if something is left."""
        try:
            failed = await self.call("bye", timeout_s=_BYE_S)
        finally:
            await self.abandon()
        if failed:
            raise self._error("not everything could be undone", "\n".join(failed))

    async def abandon(self) -> None:
        """Hang up: an agent that is still there undoes everything by itself."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._gone("the agent has been left")
        self._channel.close()

    def _note(self, do: str, asked_s: float, arguments: Mapping[str, object], came: str) -> None:
        if do in _QUIET:
            return
        # The environment of a process may hold what is nobody's business.
        told = {name: value for name, value in arguments.items() if name != "env"}
        after_ms = 1000 * (time.time() - asked_s)
        what = f"{do} {json.dumps(told, default=str)}"[:_TOLD_MAX]
        self.diary.append((asked_s, f"{what} ({after_ms:.0f} ms): {came}"[: 2 * _TOLD_MAX]))

    async def _listen(self) -> None:
        try:
            why = await self._heard_all()
        except Exception as error:  # Whatever it is: who waits for answers must be told.
            why = f"the agent cannot be heard: {error!r}"
        self._gone(why)

    async def _heard_all(self) -> str:
        """Hear it to its end; why it is the end."""
        held = b""
        while part := await self._channel.receive():
            *lines, held = (held + part).split(b"\n")
            if len(held) > _LINE_BYTES_MAX:
                return "the agent says more than can be held"
            for line in lines:
                try:
                    self._hear(json.loads(line))
                except (ValueError, LookupError, TypeError):
                    said = line[:_TOLD_MAX].decode(errors="replace")
                    return f"the agent says what is no answer: {said}"
        why = "the agent has ended"
        with contextlib.suppress(WorldError):
            code, said = await self._channel.ended(_LAST_WORDS_S)
            why += f" (exit code {code})" + (f": {said.strip()}" if said else "")
        return why

    def _hear(self, said: dict[str, Any]) -> None:
        if "event" in said:
            if said["event"] != "ready":
                self.diary.append((time.time(), json.dumps(said)[:_TOLD_MAX]))
            self.events.put_nowait(said)
            return
        answer = self._waiting.get(said["id"])
        if answer is None or answer.done():
            return  # It came too late.
        if "error" in said:
            answer.set_exception(self._error(said["error"]))
        else:
            answer.set_result(said["ok"])

    def _gone(self, why: str) -> None:
        self._lost = self._lost or why
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._error(why))
        self.events.put_nowait({"event": "gone", "why": why})

    async def _beat(self) -> None:
        missed = 0
        while self._lost is None:
            await asyncio.sleep(self._lease_s / _BEATS_A_LEASE)
            try:
                await self.call("beat", timeout_s=self._lease_s)
                missed = 0
            except WorldError as error:  # The next one may arrive.
                missed += 1
                if missed == _BEATS_MISSED_MAX:  # By now its lease has ended, whatever it does.
                    self._gone(f"the agent does not answer: {error.message}")

    async def _event(self, name: str) -> dict[str, Any]:
        said = await self.events.get()
        if said["event"] != name:
            raise self._error(f"the agent did not begin: {self._lost or said}")
        return said

    def _error(self, message: str, detail: str = "") -> WorldError:
        return WorldError(message, node=self.name, detail=detail)
