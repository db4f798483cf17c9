"""A real sshd on loopback, with keys and a configuration of its own."""

import contextlib
import dataclasses
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from delphic.harness.hosts.inventory import Entry

SSHD = "/usr/sbin/sshd"
_START_S = 10.0

Require = Callable[[object, str], None]


def keypair(file: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """A new key in `file`; the public half, as known_hosts and authorized_keys have it."""
    words = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(file)]
    subprocess.run(words, check=True, capture_output=True)
    return file.with_suffix(".pub").read_text().strip()


class Sshd:
    """The server: where it listens, and how it is stopped, killed and started again."""

    def __init__(self, folder: Path, *more_kinds: str) -> None:
        self.folder = folder
        self.keypair = keypair
        self.host_key = keypair(folder / "host")
        self.more_keys = [keypair(folder / f"host_{kind}", kind) for kind in more_kinds]
        (folder / "authorized").write_text(keypair(folder / "user") + "\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        lines = (
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {folder / 'host'}",
            *(f"HostKey {folder / f'host_{kind}'}" for kind in more_kinds),
            f"PidFile {folder / 'pid'}",
            f"AuthorizedKeysFile {folder / 'authorized'}",
            "StrictModes no",  # The folder of a test is below one that everybody may write to.
            "UsePAM no",
            "UseDNS no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "SetEnv SHLVL=1",  # Else bash reads the start-up files of whoever runs the tests.
            f"Subsystem sftp {folder / 'none'}",
        )
        (folder / "sshd_config").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def entry(self) -> Entry:
        return Entry(
            name="a",
            address="127.0.0.1",
            user=getpass.getuser(),
            port=self.port,
            keys=(str(self.folder / "user"),),
            agent=False,
            host_keys=(self.host_key,),
            directory=str(self.folder / "data"),
        )

    def but(self, **changes: object) -> Entry:
        return dataclasses.replace(self.entry, **changes)  # type: ignore[arg-type]

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        words = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
        raise AssertionError((self.folder / "log").read_text())

    def sessions(self) -> list[int]:
        """The processes that serve a connection each."""
        assert self._process is not None
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def cut(self) -> None:
        """Every connection ends at once, as when the host restarts."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):  # It ended by itself meanwhile.
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        assert self._process is not None
        self.cut()
        self._process.kill()
        self._process.wait(10)


def _served(require: Require, folder: Path, *more_kinds: str) -> Iterator[Sshd]:
    require(Path(SSHD).exists(), "there is no sshd: apt-get install openssh-server")
    require(shutil.which("ssh-keygen"), "there is no ssh-keygen: apt-get install openssh-client")
    server = Sshd(folder, *more_kinds)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def sshd(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    yield from _served(require, tmp_path_factory.mktemp("sshd"))


@pytest.fixture
def sshd_with_rsa(require: Require, tmp_path: Path) -> Iterator[Sshd]:
    """It has two host keys, of which a client asks for one."""
    yield from _served(require, tmp_path, "rsa")
