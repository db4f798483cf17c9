"""Keeps simulated code inside its world: no wall clock, no chance of its own, no thread, no file.

While a world runs, the functions through which Python code reaches the real ones ask whose code
calls them. Code of a simulated process gets `Reached`, which ends the run as an error of Delphic;
the harness, pytest and libraries beside the world get what they ask for. Not seen: `now()` of
datetime, which cannot be replaced, and names that were bound at import (`from time import time`).
"""

import _thread
import functools
import os
import random
import secrets
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .process import CURRENT, Process

FUNCTIONS: tuple[tuple[Any, str, str], ...] = (
    *(
        (time, name, "the clock of the machine")
        for name in (
            "time",
            "time_ns",
            "monotonic",
            "monotonic_ns",
            "perf_counter",
            "perf_counter_ns",
            "process_time",
            "process_time_ns",
            "thread_time",
            "thread_time_ns",
            "clock_gettime",
            "clock_gettime_ns",
            "localtime",
            "gmtime",
            "ctime",
            "asctime",
            "strftime",
            "sleep",
        )
    ),
    *(
        (random, name, "chance that no seed decides")
        for name in (
            "random",
            "uniform",
            "randint",
            "randrange",
            "choice",
            "choices",
            "shuffle",
            "sample",
            "getrandbits",
            "randbytes",
            "triangular",
            "betavariate",
            "expovariate",
            "gammavariate",
            "gauss",
            "lognormvariate",
            "normalvariate",
            "paretovariate",
            "vonmisesvariate",
            "weibullvariate",
        )
    ),
    (random.Random, "__init__", "chance that no seed decides"),
    (os, "urandom", "chance that no seed decides"),
    *((os, name, "chance that no seed decides") for name in ("getrandom",) if hasattr(os, name)),
    *(
        (secrets, name, "chance that no seed decides")
        for name in ("token_bytes", "randbelow", "randbits", "choice")
    ),
    (uuid, "uuid1", "chance that no seed decides"),
    (uuid, "uuid4", "chance that no seed decides"),
    (os, "stat", "a real file"),
    (os, "lstat", "a real file"),
    (threading.Thread, "start", "a thread"),
    (_thread, "start_new_thread", "a thread"),
    (socket, "create_connection", "a real socket"),
)
"""Where, which name, and what it would reach."""

WITHOUT_ARGUMENTS = {
    **dict.fromkeys(("localtime", "gmtime", "ctime", "asctime"), 0),
    **dict.fromkeys(("strftime", "__init__"), 1),
}
"""What reaches the real world only if it is given no more arguments: no time, no seed, or None."""

AUDITED = {
    "open": "a real file",
    "os.listdir": "a real folder",
    "os.scandir": "a real folder",
    "os.mkdir": "a real folder",
    "os.remove": "a real file",
    "os.rename": "a real file",
    "socket.__new__": "a real socket",
    "subprocess.Popen": "a real process",
    "os.fork": "a real process",
}
"""Events of Python's audit hooks, for what C code reaches by itself."""

_EXEMPT = ("logging", "importlib", "_frozen_importlib", "linecache", "tokenize", "traceback")
"""Modules that stamp or look up things which no decision depends on."""


class Reached(BaseException):
    """Simulated code reached for the real world. No `except Exception` may hide it."""


_worlds = 0
_is_hooked = False


def simulated_process() -> Process | None:
    """The simulated process whose code runs; None for the harness and everything else."""
    process = CURRENT.get()
    if process is None or process is process.loop.main or not process.loop.is_running():
        return None
    return process


def _reached(process: Process, what: str) -> Reached:
    """Also noted as a complaint, since a task may keep its error to itself."""
    sentence = f"{process.name} {what}"
    process.loop.complaints.append(sentence)
    return Reached(sentence)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard everything that runs inside; may be nested, in one thread."""
    global _worlds
    _hook()
    if _worlds == 0:
        saved = [(owner, name, getattr(owner, name)) for owner, name, _ in FUNCTIONS]
        for owner, name, what in FUNCTIONS:
            setattr(owner, name, _watched(getattr(owner, name), name, what))
    _worlds += 1
    try:
        yield
    finally:
        _worlds -= 1
        if _worlds == 0:
            for owner, name, function in saved:
                setattr(owner, name, function)


def _watched(function: Callable[..., Any], name: str, what: str) -> Callable[..., Any]:
    least = WITHOUT_ARGUMENTS.get(name)

    @functools.wraps(function)
    def watched(*args: Any, **options: Any) -> Any:
        if least is not None and any(one is not None for one in (*args[least:], *options.values())):
            return function(*args, **options)
        process = simulated_process()
        if process is not None and not _is_importing():
            raise _reached(process, f"called {name}: {what}")
        return function(*args, **options)

    return watched


def _is_exempt(scope: dict[str, Any]) -> bool:
    return str(scope.get("__name__", "")).partition(".")[0] in _EXEMPT


def _hook() -> None:
    """Python cannot take an audit hook away again: one for all worlds, idle between them."""
    global _is_hooked
    if not _is_hooked:
        _is_hooked = True
        sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _worlds and event in AUDITED:
        process = simulated_process()
        if process is not None and not _is_importing():
            raise _reached(process, f"reached {AUDITED[event]}: {event} {args[:1]}")


def _is_importing() -> bool:
    """Whether a module is being loaded, or a traceback is being written, further up."""
    frame = sys._getframe(1)
    while frame is not None:
        if _is_exempt(frame.f_globals):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
