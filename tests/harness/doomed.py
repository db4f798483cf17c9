"""A harness that breaks a host and waits to be killed: doomed.py FOLDER NAMESPACE FAULT."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from delphic.harness.errors import WorldError
from delphic.harness.hosts.agent import Agent
from delphic.harness.targets.remote.shim import compiled
from near_host import NearHost
from net_hosts import SUBNET4, SUBNET6

LEASE_S = 1.5

GOING_ON: list[asyncio.Task[None]] = []

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]

LINKS = [
    {"source": f"{SUBNET4}2", "own": f"{SUBNET4}1"},
    {"source": f"{SUBNET6}2", "own": f"{SUBNET6}1"},
]


def links(**how: float) -> Callable[[Agent], Awaitable[None]]:
    async def fault(agent: Agent) -> None:
        await agent.call("links", links=[{**link, **how} for link in LINKS])

    return fault


async def nothing(agent: Agent) -> None:
    await agent.call("spawn", name="n1", words=SLEEP)


async def pause(agent: Agent) -> None:
    await nothing(agent)
    await agent.call("signal", name="n1", signal="STOP", lease_s=60)


async def cpu(agent: Agent) -> None:
    await nothing(agent)
    await agent.call("pressure", cpu={"n1": 0.1})


async def memory(agent: Agent) -> None:
    await nothing(agent)
    await agent.call("pressure", memory={"n1": 1 << 30})


async def cramped(agent: Agent) -> None:
    """A process whose group was there before it, and which has hardly anything left."""
    await agent.call("memory-make", name="n1")
    await nothing(agent)
    used = (await agent.call("memory"))["n1"]["used"]
    await agent.call("pressure", memory={"n1": used + (1 << 20)})


async def busy(agent: Agent) -> None:
    await agent.call("pressure", busy=1)


async def crashes(agent: Agent) -> None:
    """It goes on until whoever does it is killed, too."""
    await nothing(agent)

    async def go_on() -> None:
        while True:
            await agent.call("signal", name="n1", signal="KILL")
            await nothing(agent)
            await asyncio.sleep(0.1)

    GOING_ON.append(asyncio.get_running_loop().create_task(go_on()))


async def disk(agent: Agent) -> None:
    """One that is full, and in use."""
    folder = Path(sys.argv[1]) / "home" / "data"
    await agent.call("disk-make", name="n1", folders=[str(folder)])
    words = [sys.executable, "-c", "import time; open('file', 'w'); time.sleep(600)"]
    await agent.call("spawn", name="n1", words=words, cwd=str(folder))
    await agent.call("disk-fill", name="n1", full=True)


async def read_only(agent: Agent) -> None:
    """A file is open there that was to be written."""
    await disk(agent)
    await agent.call("disk-fill", name="n1", full=False)
    await agent.call("disk-lock", name="n1", read_only=True)


async def power(agent: Agent) -> None:
    """One after another."""
    await agent.call("disk-make", name="n1", folders=[f"{sys.argv[1]}/home/data"])
    await agent.call("disk-cut", name="n1")


async def cuts(agent: Agent) -> None:
    """Again and again, until whoever does it is killed, too."""
    await agent.call("disk-make", name="n1", folders=[f"{sys.argv[1]}/home/data"])

    async def go_on() -> None:
        while True:
            await agent.call("disk-cut", name="n1")

    GOING_ON.append(asyncio.get_running_loop().create_task(go_on()))


async def shim(agent: Agent) -> None:
    """A clock that is wrong and drifts, a disk that is slow and fails to write."""
    folder = Path(sys.argv[1])
    control = str(folder / "control")
    await agent.call("shim-make", name="n1", path=control)
    env = {"LD_PRELOAD": str(compiled(folder / "shims")), "DELPHIC_SHIM": control}
    await agent.call("spawn", name="n1", words=SLEEP, env=env)
    await agent.call("shim-clock", name="n1", offset_s=5, drift=2, wait=False)
    await agent.call("shim-disk", name="n1", slow=100, fail_write=True)


async def everything(agent: Agent) -> None:
    await pause(agent)
    await agent.call("listen", addresses=[f"{SUBNET4}1"])
    await links(delay_s=0.5, loss=0.1)(agent)
    await agent.call("pressure", cpu={"n1": 0.5}, memory={"n1": 1 << 30}, busy=1)
    await links(cut=True)(agent)


FAULTS: dict[str, Callable[[Agent], Awaitable[None]]] = {
    "nothing": nothing,
    "pause": pause,
    "cut": links(cut=True),
    "loss": links(loss=0.5),
    "delay": links(delay_s=1.0),
    "rate": links(rate_bytes_s=1000),
    "damage": links(reorder=0.5, duplicate=0.5, corrupt=0.5),
    "cpu": cpu,
    "memory": memory,
    "cramped": cramped,
    "busy": busy,
    "crashes": crashes,
    "disk": disk,
    "power": power,
    "read-only": read_only,
    "disk-fuse": disk,
    "power-fuse": power,
    "read-only-fuse": read_only,
    "cuts-fuse": cuts,
    "shim": shim,
    "everything": everything,
}


async def main(folder: str, namespace: str, fault: str) -> None:
    """Say who serves before the fault is asked for, and that it is made when it is."""
    enter = ("ip", "netns", "exec", namespace)
    host = NearHost(Path(folder), *enter, loop_devices=not fault.endswith("-fuse"))
    if fault == "shim":
        compiled(Path(folder) / "shims")  # It is kept there: no lease waits for a compiler.
    agent = await Agent.start(host, f"doomed by {fault}", LEASE_S)
    if not host.entry.loop_devices:
        await agent.call("capabilities")  # What disks are made of is found out once, and kept.
    said = {key: agent.hello[key] for key in ("pid", "guardian")}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    with contextlib.suppress(WorldError):  # The agent is killed first: the harness lives on.
        await FAULTS[fault](agent)
    sys.stdout.write(json.dumps(host.marks) + "\n")
    sys.stdout.flush()
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
