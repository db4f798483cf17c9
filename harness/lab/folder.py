"""What of a laboratory is on disk: its record, made before anything else, and its files."""

import os
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..agent import proc
from ..agent.proc import Identity, Whose
from ..errors import WorldError
from ..reading import UNDECODABLE
from ..running.leases import state_directory

MARK = "DELPHIC_LAB"
"""The environment variable that every host's first process carries: the laboratory's folder."""


class HostRecord(msgspec.Struct, frozen=True):
    """One host: its name, its addresses, and the process with which it ends."""

    name: str
    addresses: tuple[str, ...]
    process: Identity | None = None


class Record(msgspec.Struct, frozen=True):
    """What there is, or was meant to be: enough to remove all of it."""

    number: int
    boot: str
    owner: Identity | None
    """Without the owner nobody needs the laboratory; None: until somebody takes it down."""
    hosts: tuple[HostRecord, ...] = ()
    rootless: bool = False
    inside: Identity | None = None
    """Rootless: who holds the namespaces in which the laboratory is."""
    pids: str = ""
    """The namespace in which its pids mean something."""

    @property
    def whose(self) -> Whose:
        """What its pids mean here."""
        return proc.whose(self.boot, self.pids)


@dataclass(frozen=True, slots=True)
class Folder:
    """One laboratory's files."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def mark(self) -> str:
        """The entry of the environment by which its processes are found."""
        return f"{MARK}={self.path}"

    @property
    def inventory(self) -> Path:
        return self.path / "hosts.yaml"

    @property
    def record(self) -> Path:
        return self.path / "lab.json"

    def host(self, name: str) -> Path:
        """The files of one host: what it needs to start, its log, its /tmp and /var/tmp."""
        return self.path / name

    def read(self) -> Record | None:
        """None if nothing was recorded, or it has just been removed. Raises WorldError."""
        file = self.record
        try:
            return msgspec.json.decode(file.read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        except (OSError, *UNDECODABLE) as error:
            raise WorldError(f"cannot read {file}: {error}; remove it by hand") from error

    def write(self, record: Record) -> None:
        """Raises WorldError."""
        file = self.record
        whole = file.with_suffix(".new")
        try:
            whole.write_bytes(msgspec.json.encode(record))
            whole.replace(file)
        except OSError as error:
            raise WorldError(f"cannot write {file}: {error.strerror}") from error

    def age_s(self) -> float:
        """How long ago something was made in it, or it itself."""
        try:
            return time.time() - self.path.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def remove(self) -> None:
        """Raises WorldError, which names what is left."""
        with suppress(OSError):  # What matters of it is seen below.
            self.path.chmod(0o700)
        # Members make files and folders read-only; to root alone that means nothing.
        for folder, names, _ in os.walk(self.path):
            for name in names:
                with suppress(OSError):
                    _open(Path(folder, name))
        shutil.rmtree(self.path, ignore_errors=True)
        if left := sum(len(names) for _, _, names in os.walk(self.path)):
            raise WorldError(f"cannot remove {self.path}: {left} files are left; remove it by hand")


def _open(folder: Path) -> None:
    if not folder.is_symlink():
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IRWXU)


def labs_directory() -> Path:
    """Where all laboratories of this user lie."""
    return state_directory().resolve() / "labs"


def cache_directory() -> Path:
    """What hosts of all laboratories share, and keep when they are gone: deployed programs."""
    own = os.environ.get("DELPHIC_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "delphic"
    return Path(own or base).resolve() / "lab"


def folders() -> list[Folder]:
    """Every laboratory's, in the order of their numbers."""
    directory = labs_directory()
    found = directory.glob("lab*") if directory.is_dir() else ()
    return [Folder(path) for path in sorted(found, key=lambda path: (len(path.name), path.name))]


def records() -> list[Record]:
    """What is on record of every laboratory, but for those whose record cannot be read."""
    found = []
    for folder in folders():
        with suppress(WorldError):  # `heal` and `status` say so.
            found.append(folder.read())
    return [record for record in found if record is not None]


def create(
    number: int, owner: Identity | None, *, rootless: bool, inside: Identity | None
) -> Folder | None:
    """A folder for the laboratory of that number; None if somebody has it."""
    path = labs_directory() / f"lab{number}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o755)
    except FileExistsError:
        return None
    except OSError as error:
        raise WorldError(f"cannot make {path}: {error.strerror}") from error
    folder = Folder(path)
    record = Record(
        number,
        proc.boot_id(),
        owner,
        rootless=rootless,
        inside=inside,
        pids=proc.pid_namespace(),
    )
    folder.write(record)
    return folder
