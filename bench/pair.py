"""A master and its slave on loopback: one controller and two data nodes each, as processes."""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

MASTER, SLAVE = "master", "slave"
CONTROLLER = "c1"
DATA = ("n1", "n2")
ALIASES = (CONTROLLER, *DATA)

WORK = "task-data"

EXECUTOR, PASSWORD = "replicator", "let-me-replicate"
FRAME_BYTES_MAX = 256 << 20
"""A transaction of 85 MB is one frame."""


class Clusters:
    """Homes below a folder, ports that stay ours; ends and reaps whatever it started."""

    def __init__(self, folder: Path, *, synced: bool) -> None:
        """`synced`: the master's task data is durable before a transaction is decided."""
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._ports: dict[tuple[str, str], int] = {}
        for cluster in (MASTER, SLAVE):
            for alias in ALIASES:
                # Keeps the port ours between here and the node's own bind.
                reserved = self._stack.enter_context(socket.socket())
                reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                reserved.bind(("127.0.0.1", 0))
                self._ports[cluster, alias] = reserved.getsockname()[1]
        for cluster in (MASTER, SLAVE):
            self._configure(cluster, synced=synced)

    def __enter__(self) -> Self:
        for cluster in (MASTER, SLAVE):
            for alias in ALIASES:
                home = self._folder / cluster / alias
                command = [sys.executable, "-m", "delphic.impl.node", "--reuse-port"]
                command += ["--home", str(home), "--alias", alias]
                with (home / "log.txt").open("ab") as log:
                    running = subprocess.Popen(command, stdout=log, stderr=log)
                self._running[cluster, alias] = running
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
        self._stack.close()

    def site(self, cluster: str, alias: str) -> tuple[str, int]:
        """Where a node listens."""
        return "127.0.0.1", self._ports[cluster, alias]

    def sites(self, cluster: str) -> list[str]:
        """`host:port` of a cluster's data nodes."""
        return [f"127.0.0.1:{self._ports[cluster, alias]}" for alias in DATA]

    @contextlib.contextmanager
    def paused(self, cluster: str) -> Iterator[None]:
        """Its processes take no part, and no processor time, meanwhile."""
        processes = [self._running[cluster, alias] for alias in ALIASES]
        try:
            for process in processes:
                process.send_signal(signal.SIGSTOP)
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    def cpu_s(self, cluster: str, aliases: Iterable[str]) -> float:
        """Processor time that threads of these nodes have used, the kernel's for them, too."""
        pids = [self._running[cluster, alias].pid for alias in aliases]
        tasks = (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def task_data(self) -> dict[str, int]:
        """The files that the master's data nodes keep for slaves, and their sizes."""
        found = {}
        for alias in DATA:
            for path in (self._folder / MASTER / alias / WORK).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    found[str(path)] = path.stat().st_size
        return found

    def _configure(self, cluster: str, *, synced: bool) -> None:
        modes = ("controller", *("datanode" for _ in DATA))
        nodes = [
            f"127.0.0.1:{self._ports[cluster, alias]}:{alias},{mode}\n"
            for alias, mode in zip(ALIASES, modes, strict=True)
        ]
        both = ["authentication=off", "raftElectionTick=50", f"maxFrameSize={FRAME_BYTES_MAX}"]
        controllers = [*both, "dfsMetaDir=meta"]
        data = [
            *both,
            "volumes=volumes",
            "persistenceDir=data",
            f"clusterReplicationMode={cluster}",
        ]
        if cluster == MASTER:
            controllers += ["clusterReplicationSlaveNum=1"]
            data += [
                f"clusterReplicationWorkDir={WORK}",
                f"clusterReplicationSyncPersistence={str(synced).lower()}",
            ]
        else:
            at = self._ports[MASTER, CONTROLLER]
            controllers += [f"clusterReplicationMasterCtl=127.0.0.1:{at}"]
            data += [
                f"clusterReplicationExecutionUsername={EXECUTOR}",
                f"clusterReplicationExecutionPassword={PASSWORD}",
            ]
        for alias in ALIASES:
            config = self._folder / cluster / alias / "config"
            config.mkdir(parents=True)
            (config / "cluster.nodes").write_text("localSite,mode\n" + "".join(nodes))
            (config / "controller.cfg").write_text(_lines(controllers))
            (config / "cluster.cfg").write_text(_lines(data))


def _lines(options: Sequence[str]) -> str:
    return "".join(f"{option}\n" for option in options)
