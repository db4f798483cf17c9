"""Processes of a run: started, signalled, watched until they end, and ended when the run does."""

import asyncio
import contextlib
import json
import os
import pwd
import signal as signals
import subprocess
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from .proc import Identity, end_all, end_marked, here, identity, letter
from .run import Refused, Run
from .undo import What

_SIGNALS = {name: signals.Signals[f"SIG{name}"] for name in ("KILL", "STOP", "CONT", "TERM")}

_STOPPED = ("T", "t")


@dataclass(slots=True)
class Daemon:
    """A process that was started here, by its name."""

    process: subprocess.Popen[bytes]
    identity: Identity
    handle: int | None
    """Its pid for certain, until it has been waited for."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    resume: asyncio.TimerHandle | None = None
    """Ends its pause, if that has a lease of its own."""


class Processes:
    """Everything that was started on this host for the run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._daemons: dict[str, Daemon] = {}
        self._noted = False

    def verbs(self) -> Mapping[str, Any]:
        return {
            "spawn": self.spawn,
            "signal": self.signal,
            "state": self.state,
        }

    async def spawn(
        self,
        name: str,
        words: list[str],
        env: dict[str, str] | None = None,
        cwd: str | None = None,
        log: str | None = None,
        user: str | None = None,
    ) -> dict[str, object]:
        """Start a process in a session of its own; what it says is appended to `log`."""
        known = self._daemons.get(name)
        if known is not None and known.handle is not None:
            raise Refused(f"{name} is running already (pid {known.identity.pid})")
        if not words:
            raise Refused(f"{name}: no command")
        spec = {"words": words, "env": env or {}, "cwd": cwd, "log": log, "user": user}
        who = self._start(name, spec)
        return {"pid": who.pid, "start": who.start}

    async def signal(
        self, name: str, signal: str, lease_s: float | None = None
    ) -> dict[str, object]:
        """KILL, STOP, CONT or TERM for the process and its group; one that is gone is no error.

        KILL returns when it is dead. STOP holds until CONT, for `lease_s` at most if that is said,
        and a STOP again renews it.
        """
        if signal not in _SIGNALS:
            raise Refused(f"unknown signal {signal}: one of {', '.join(_SIGNALS)}")
        daemon = self._daemon(name)
        if daemon.resume is not None:
            daemon.resume.cancel()
            daemon.resume = None
        self._send(daemon, _SIGNALS[signal])
        if signal == "KILL" and daemon.handle is not None:
            await daemon.gone.wait()
        if signal == "STOP" and lease_s is not None:
            loop = asyncio.get_running_loop()
            daemon.resume = loop.call_later(lease_s, self._send, daemon, signals.SIGCONT)
        return await self.state(name)

    async def state(self, name: str | None = None) -> dict[str, object]:
        """What the operating system says of one process; without a name, of all by name."""
        if name is None:
            return {each: _seen(daemon) for each, daemon in self._daemons.items()}
        return _seen(self._daemon(name))

    def _daemon(self, name: str) -> Daemon:
        if name not in self._daemons:
            raise Refused(f"nothing called {name} was started here")
        return self._daemons[name]

    def _send(self, daemon: Daemon, signal: signals.Signals) -> None:
        """To the whole group. Its leader is not waited for yet, so the number is still its own."""
        if daemon.handle is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(daemon.identity.pid, signal)

    def _ended(self, name: str) -> None:
        daemon = self._daemons[name]
        if daemon.handle is None:
            return
        self._send(daemon, signals.SIGKILL)  # What it started and left behind.
        asyncio.get_running_loop().remove_reader(daemon.handle)
        os.close(daemon.handle)
        daemon.handle = None
        code = daemon.process.wait()
        daemon.gone.set()
        self._run.say({"event": "ended", "name": name, "pid": daemon.identity.pid, "code": code})

    def _start(self, name: str, spec: Mapping[str, Any]) -> Identity:
        self._note()
        output = _open(spec["log"])
        try:
            process = subprocess.Popen(
                spec["words"],
                env={**os.environ, **spec["env"], **dict([self._run.mark.split("=", 1)])},
                cwd=spec["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **_as_user(spec["user"]),
            )
        except OSError as error:
            raise Refused(f"{name} does not start: {error}") from error
        finally:
            os.close(output)
        # It may be dead already; then it is a zombie until we wait for it, and its pid its own.
        who = identity(process.pid) or Identity(process.pid, 0)
        try:
            self._record(name, who)
            handle = os.pidfd_open(process.pid)
        except OSError as error:
            # What nobody knows of nobody would end.
            os.killpg(process.pid, signals.SIGKILL)
            process.wait()
            raise Refused(f"{name} cannot be kept account of: {error}") from error
        self._daemons[name] = Daemon(process, who, handle)
        asyncio.get_running_loop().add_reader(handle, self._ended, name)
        for begun in self._run.starts:
            begun(name, who.pid)
        return who

    def _note(self) -> None:
        if not self._noted:
            _pids(self._run.folder).mkdir(exist_ok=True)
            self._run.log.add(
                "processes",
                mark=self._run.mark,
                pids=str(_pids(self._run.folder)),
                boot=here().boot,
            )
            self._noted = True

    def _record(self, name: str, who: Identity) -> None:
        """For `undo`, where the mark in its environment cannot be read."""
        path = _pids(self._run.folder) / f"{who.pid}.json"
        whole = path.with_suffix(".new")
        whole.write_text(json.dumps({"name": name, "process": astuple(who)}))
        whole.replace(path)


def recorded(folder: Path) -> dict[str, Identity]:
    """The last process that was started in a run under each name, dead or alive."""
    found: dict[str, Identity] = {}
    for path in _pids(folder).glob("*.json"):
        said = json.loads(path.read_text())
        process = Identity(*said["process"])
        known = found.get(said["name"])
        if known is None or process.start > known.start:
            found[said["name"]] = process
    return found


def _pids(folder: Path) -> Path:
    return folder / "processes"


def _open(log: str | None) -> int:
    if log is None:
        return os.open(os.devnull, os.O_RDWR)
    try:
        return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Refused(f"cannot write {log}: {error.strerror}") from error


def _as_user(user: str | None) -> dict[str, Any]:
    """What makes a child another user's; only root may."""
    if user is None:
        return {}
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise Refused(f"there is no user {user} on this host") from error
    if entry.pw_uid == os.geteuid():
        return {}
    if os.geteuid() != 0:
        raise Refused(f"only root can start a process as {user}: the host has no sudo: true")
    return {
        "user": entry.pw_uid,
        "group": entry.pw_gid,
        "extra_groups": os.getgrouplist(user, entry.pw_gid),
    }


def _seen(daemon: Daemon) -> dict[str, object]:
    found = {"pid": daemon.identity.pid, "start": daemon.identity.start}
    seen = None if daemon.handle is None else letter(daemon.identity.pid)
    if seen is None:
        return {"state": "dead", **found, "code": _code(daemon)}
    return {"state": "paused" if seen in _STOPPED else "running", **found}


def _code(daemon: Daemon) -> int | None:
    """What it ended with. It is not waited for here: as long as it is not, its pid is its own."""
    if daemon.handle is None:
        return daemon.process.returncode
    ended = os.waitid(os.P_PIDFD, daemon.handle, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _end_processes(what: What) -> None:
    if what["boot"] != here().boot:
        return
    failed, processes = [], []
    try:
        end_marked(str(what["mark"]))
    except OSError as error:
        failed.append(str(error))
    for path in Path(str(what["pids"])).glob("*.json"):
        try:
            processes.append(Identity(*json.loads(path.read_text())["process"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            failed.append(f"{path.name} does not say which process was started: {error}")
    try:
        end_all(processes)
    except OSError as error:
        failed.append(str(error))
    if failed:
        raise OSError("; ".join(failed))


def _end_marked(what: What) -> None:
    end_marked(str(what["mark"]))


UNDO = {"processes": _end_processes, "marked": _end_marked}
