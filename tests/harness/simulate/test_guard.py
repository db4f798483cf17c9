"""Simulated code that reaches for the real world ends the run."""

import _thread
import asyncio
import contextlib
import importlib
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from delphic.harness.simulate.guard import Reached, guarded
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process

REACHES: dict[str, Callable[[], object]] = {
    "time.time": lambda: time.time(),
    "time.monotonic": lambda: time.monotonic(),
    "time.sleep": lambda: time.sleep(0.001),
    "random.random": lambda: random.random(),
    "random.shuffle": lambda: random.shuffle([1, 2]),
    "os.urandom": lambda: os.urandom(1),
    "time.clock_gettime": lambda: time.clock_gettime(time.CLOCK_REALTIME),
    "time.localtime": lambda: time.localtime(),
    "time.localtime of no time": lambda: time.localtime(None),
    "time.strftime": lambda: time.strftime("%H"),
    "time.asctime": lambda: time.asctime(),
    "time.thread_time": lambda: time.thread_time(),
    "random.randbytes": lambda: random.randbytes(1),
    "random.normalvariate": lambda: random.normalvariate(),
    "random.Random": lambda: random.Random(),
    "random.Random of no seed": lambda: random.Random(None),
    "random.SystemRandom": lambda: random.SystemRandom(),
    "secrets.randbelow": lambda: secrets.randbelow(2),
    "os.getrandom": lambda: os.getrandom(1),
    "os.stat": lambda: Path(__file__).exists(),
    "os.scandir": lambda: os.scandir("/"),
    "a bare thread": lambda: _thread.start_new_thread(print, ()),
    "a thread": lambda: threading.Thread(target=print).start(),
    "a file": lambda: Path(__file__).read_bytes(),
    "a folder": lambda: os.listdir("/"),
    "a socket": lambda: socket.socket(),
}


def heard(act: Callable[[], object], *, simulated: bool) -> tuple[list[BaseException], list[str]]:
    """What a callback raised, and the complaints of the loop."""
    loop = SimLoop("1")
    raised: list[BaseException] = []
    loop.failed = lambda _, error: raised.append(error)

    async def work() -> None:
        if simulated:
            Process(loop, "n1", 1, "1").call(act)
        else:
            act()
        await asyncio.sleep(1)

    with guarded():
        loop.run_until_complete(work())
    return raised, loop.complaints


@pytest.mark.parametrize("name", REACHES)
def test_a_simulated_process_reaches_nothing_real(name: str) -> None:
    raised, complaints = heard(REACHES[name], simulated=True)
    assert [type(error) for error in raised] == [Reached]
    assert len(complaints) == 1
    assert complaints[0].startswith("n1 ")


def test_a_task_cannot_hide_it() -> None:
    async def hides() -> None:
        with contextlib.suppress(BaseException):
            time.time()

    _, complaints = heard(lambda: asyncio.get_running_loop().create_task(hides()), simulated=True)
    assert complaints == ["n1 called time: the clock of the machine"]


@pytest.mark.parametrize("name", ["time.time", "random.random", "a file", "a folder"])
def test_the_harness_may(name: str) -> None:
    assert heard(REACHES[name], simulated=False) == ([], [])


def test_chance_with_a_seed_and_a_given_time_are_no_reach() -> None:
    def act() -> None:
        random.Random(7).random()
        random.Random(x=7).random()
        time.gmtime(0)
        time.strftime("%H", time.gmtime(0))

    assert heard(act, simulated=True) == ([], [])


def test_a_module_that_simulated_code_loads_may_look_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As libraries do that load their parts when they are first needed."""
    lines = "import os, random, time", "random.Random()", "time.time()", "os.path.exists('/')"
    (tmp_path / "loaded_late.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    assert heard(lambda: importlib.import_module("loaded_late"), simulated=True) == ([], [])


def test_nothing_is_left_of_the_guard() -> None:
    before = time.time
    with guarded(), guarded():
        assert time.time is not before
    assert time.time is before
