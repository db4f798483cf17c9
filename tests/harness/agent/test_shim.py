"""What processes are told by clocks and disks through the shim, and what they note of it."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.agent.shim import Control, attempt
from delphic.harness.targets.remote.shim import compiled

pytestmark = pytest.mark.slow

CLOCKS = """
import threading, time
TAI, RAW = time.CLOCK_TAI, 4
day = time.time() - time.clock_gettime(TAI)
begun = time.monotonic(), time.perf_counter()
time.sleep(0.2)
threading.Lock().acquire()
threading.Event().wait(0.2)
held = threading.Lock(); held.acquire(); held.acquire(timeout=0.2)
print(day, time.monotonic() - begun[0])
"""

DISK = """
import json, os, sys, time
handle = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
def does(what, *words):
    began = time.monotonic()
    try:
        what(handle, *words)
    except OSError as error:
        return error.strerror
    return round(time.monotonic() - began, 3)
print(json.dumps([does(os.write, b"x"), does(os.writev, [b"x"]), does(os.pwrite, b"x", 0)]))
print(json.dumps([does(os.fsync), does(os.fdatasync)]))
open(sys.argv[2], "w").write("elsewhere")
"""


@pytest.fixture
def library(require: Callable[[object, str], None], tmp_path: Path) -> str:
    require(
        shutil.which("cc") or shutil.which("gcc"),
        "there is no C compiler: apt-get install gcc libc6-dev",
    )
    return str(compiled(tmp_path / "shims"))


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path / "control")


async def python(
    library: str, control: Control, folder: Path, code: str, *words: str
) -> tuple[list[str], float]:
    """What such a process says line by line, and how long it took by our clock."""
    control.belongs_to(0)
    environment = {
        **os.environ,
        "LD_PRELOAD": library,
        "DELPHIC_SHIM": str(folder / "control"),
        "DELPHIC_SHIM_FOLDER": str(folder),
    }
    began = asyncio.get_running_loop().time()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, *words), env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return out.decode().splitlines(), asyncio.get_running_loop().time() - began


def test_the_clock_of_the_day_jumps_and_waits_take_as_long_as_ever(
    library: str, control: Control, tmp_path: Path
) -> None:
    (true_line,), _ = asyncio.run(python(library, control, tmp_path, CLOCKS))
    control.clock(-120.0, 1.0)
    (line,), _ = asyncio.run(python(library, control, tmp_path, CLOCKS))
    ahead, passed = (float(word) for word in line.split())
    assert ahead - float(true_line.split()[0]) == pytest.approx(-120, abs=0.01)
    assert 0.6 <= passed < 5.0
    seen = control.seen()
    assert seen["is_read"]
    assert seen["ahead_s"] == pytest.approx(-120, abs=0.001)


def test_both_clocks_drift_and_a_process_waits_by_the_clock_it_sees(
    library: str, control: Control, tmp_path: Path
) -> None:
    control.clock(0.0, 0.25)
    (line,), took_s = asyncio.run(python(library, control, tmp_path, CLOCKS))
    passed = float(line.split()[1])
    assert 0.6 <= passed < took_s / 3.5
    assert took_s >= 2.4, "0.6 s of a clock that goes a quarter as fast"


def test_a_clock_that_ran_too_fast_never_jumps_back_when_it_is_put_right(
    library: str, control: Control, tmp_path: Path
) -> None:
    control.clock(0.0, 10.0)
    asyncio.run(python(library, control, tmp_path, CLOCKS))
    before = control.seen()["steady"][1]
    control.clock(0.0, 1.0)
    asyncio.run(python(library, control, tmp_path, CLOCKS))
    seen = control.seen()
    assert seen["steady"][1] > before
    assert seen["steady"][1] > seen["steady"][0] + 0.5e9, "what it gained it keeps"
    assert seen["ahead_s"] == 0.0, "the day's clock is true again"


def test_syncs_are_slow_or_fail_and_writes_fail_on_the_disk_that_is_meant(
    library: str, control: Control, tmp_path: Path
) -> None:
    file, other = tmp_path / "file", Path("/dev/null")

    def lines() -> list[list[Any]]:
        said, _ = asyncio.run(python(library, control, tmp_path, DISK, str(file), str(other)))
        return [json.loads(line) for line in said]

    wrote, synced = lines()
    assert all(isinstance(each, float) for each in (*wrote, *synced))
    control.disk(200.0, 0)
    _, slow = lines()
    assert all(each >= 0.199 for each in slow), "no sync counts for less than a millisecond"
    assert control.seen()["slowed"] == 2
    control.disk(1.0, 1)
    wrote, failed = lines()
    assert all(isinstance(each, float) for each in wrote)
    assert failed == ["Input/output error"] * 2
    control.disk(1.0, 2)
    failed, synced = lines()
    assert failed == ["Input/output error"] * 3
    assert all(isinstance(each, float) for each in synced)
    assert (control.seen()["failed_syncs"], control.seen()["failed_writes"]) == (2, 3)


# Python's locks look at the clock, and so do its streams, `os.fork` and `subprocess`.
HELPED = """
import ctypes, os, sys, time
fork = ctypes.PyDLL(None).fork
os.write(1, b"up\\n")
os.read(0, 1)
code = "import time; print(time.time(), time.monotonic())"
os.waitpid(os.posix_spawn(sys.executable, ["python", "-c", code], os.environ), 0)
if fork() == 0:
    time.time(), time.monotonic()
    os._exit(0)
os.wait()
os.write(1, b"helped\\n")
os.read(0, 1)
time.time()
os.write(1, b"read\\n")
os.read(0, 1)
"""


def test_what_a_helper_of_a_process_reads_is_not_what_the_process_has_read(
    library: str, control: Control, tmp_path: Path
) -> None:
    env = {**os.environ, "LD_PRELOAD": library, "DELPHIC_SHIM": str(tmp_path / "control")}
    with subprocess.Popen(
        [sys.executable, "-c", HELPED], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:

        def seen(when: bytes) -> dict[str, Any]:
            assert process.stdout is not None
            assert process.stdout.readline() == when
            return control.seen()

        def go_on() -> None:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()

        assert seen(b"up\n")["pid"] == process.pid
        control.clock(1000.0, 1.0)
        go_on()
        assert process.stdout is not None
        assert float(process.stdout.readline().split()[0]) > time.time() + 900
        helped = seen(b"helped\n")
        assert (helped["pid"], helped["is_read"]) == (process.pid, False)
        go_on()
        read = seen(b"read\n")
        assert (read["pid"], read["is_read"]) == (process.pid, True)
        assert read["ahead_s"] == pytest.approx(1000, abs=1)


def test_a_process_that_is_started_anew_is_the_one_that_notes(
    on_hosts: Any, library: str, tmp_path: Path
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        control = str(tmp_path / "control")
        await agent.call("shim-make", name="n1", path=control)
        code = "import time\nwhile True: time.sleep(0.01)"
        env = {"LD_PRELOAD": library, "DELPHIC_SHIM": control}
        for ahead_s in (3600, 7200):
            began = await agent.call(
                "spawn", name="n1", words=[sys.executable, "-c", code], env=env
            )
            said = await agent.call("shim-clock", name="n1", offset_s=ahead_s, drift=1)
            assert said["is_read"]
            assert (await agent.call("shim-disk", name="n1"))["pid"] == began["pid"]
            await agent.call("signal", name="n1", signal="KILL")

    on_hosts(test, count=1)


def test_a_library_that_does_nothing_is_found_out(library: str, tmp_path: Path) -> None:
    assert attempt(library) is None
    why = attempt(str(tmp_path / "missing.so"))
    assert why is not None
    assert why.startswith("the shim cannot be loaded: ")
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    assert attempt(str(broken)) is not None


def test_a_running_process_reads_the_clock_that_was_set_and_says_so(
    on_hosts: Any, library: str, tmp_path: Path
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        control = str(tmp_path / "control")
        await agent.call("shim-make", name="n1", path=control)
        assert await agent.call("shim-clock", name="n1", offset_s=1, drift=1, wait=False) == {
            "is_read": False
        }
        code = "import time\nwhile True: time.sleep(0.01)"
        env = {"LD_PRELOAD": library, "DELPHIC_SHIM": control}
        await agent.call("spawn", name="n1", words=[sys.executable, "-c", code], env=env)
        said = await agent.call("shim-clock", name="n1", offset_s=3600, drift=1.5)
        assert said["is_read"]
        assert said["ahead_s"] == pytest.approx(3600, abs=2)
        assert said["rate"] == pytest.approx(1.5, abs=0.01)
        said = await agent.call("shim-clock", name="n1", offset_s=0, drift=1)
        assert said["ahead_s"] == 0
        assert said["rate"] == pytest.approx(1, abs=0.001)

    on_hosts(test, count=1)
