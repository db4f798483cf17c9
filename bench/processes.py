"""Three real members on loopback, as processes that can be killed and started again."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

GROUP = 2
ALIASES = ("n1", "n2", "n3")


class Processes:
    """Homes below a folder, ports that stay ours; ends and reaps whatever it started."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        """`extra`: more lines of cluster.cfg."""
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        ports = []
        for _ in ALIASES:
            # Keeps the port ours between here and the node's own bind.
            reserved = self._stack.enter_context(socket.socket())
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            reserved.bind(("127.0.0.1", 0))
            ports.append(reserved.getsockname()[1])
        self.sites = [f"127.0.0.1:{port}" for port in ports]
        lines = [f"{s}:{a},datanode\n" for s, a in zip(self.sites, ALIASES, strict=True)]
        for alias in ALIASES:
            config = folder / alias / "config"
            config.mkdir(parents=True)
            (config / "cluster.nodes").write_text("localSite,mode\n" + "".join(lines))
            (config / "cluster.cfg").write_text(
                f"streamingHAMode=raft\nstreamingRaftGroups={GROUP}:{':'.join(ALIASES)}\n"
                f"persistenceDir=data\nauthentication=off\nraftElectionTick=50\n{extra}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for alias in list(self._running):
            self.kill(alias)
        self._stack.close()

    def site(self, alias: str) -> str:
        """`host:port` of a member."""
        return self.sites[ALIASES.index(alias)]

    def cpu_s(self, alias: str) -> float:
        """Processor time that a running member's threads have used, the kernel's for them, too."""
        tasks = Path(f"/proc/{self._running[alias].pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def start(self, *aliases: str) -> None:
        """Start members; they may need a moment before they listen."""
        for alias in aliases:
            assert alias not in self._running
            with (self._folder / alias / "log.txt").open("ab") as log:
                command = [sys.executable, "-m", "delphic.impl.node", "--reuse-port"]
                where = ["--home", str(self._folder / alias), "--alias", alias]
                self._running[alias] = subprocess.Popen([*command, *where], stdout=log, stderr=log)

    def kill(self, alias: str) -> None:
        """SIGKILL, and wait until it is gone."""
        process = self._running.pop(alias)
        process.kill()
        process.wait()
