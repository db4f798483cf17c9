"""A cluster's directory: config/ for all nodes, and a folder a node with its files and its log."""

import errno
import re
import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...impl.config import (
    CLUSTER_FILE,
    CONTROLLER,
    CONTROLLER_FILE,
    DATA_NODE,
    NODES_FILE,
    NODES_HEADER,
    ConfigError,
    NodeConfig,
    load,
    read_sites,
)
from ...impl.options import CONTROLLER_OPTIONS, OPTIONS
from ...impl.settings import Read
from ...impl.site import Site
from ..errors import ScenarioError, UsageError, WorldError

LOG = "node.log"
"""What a node says, below its folder."""

FOLDER = "config"
"""Of the configuration; the others are those of nodes, by their aliases."""

_LOOPBACK = "127.0.0.1"

_CONTROLLERS = """\
# The options of controllers: docs/configuration.md.
raftElectionTick=50
"""

_SETTINGS = """\
# The options: docs/configuration.md. Relative paths lie in each node's own folder.
streamingHAMode=raft
streamingRaftGroups={groups}
persistenceDir=data
# In units of 10 ms: with 50, elections after 0.5 to 1 s of silence, to play with.
# The default is 8 to 16 s.
raftElectionTick=50
"""

_OPEN = """\
# Everybody on this host may do everything: a cluster to play with.
# To have users, write instead{too}:
# initialAdminPassword=…
authentication=off
"""

_OPEN_TOO = """\
# To have users, see controller.cfg.
authentication=off
"""

_FIRST_LOGIN = "initialAdminPassword"


@dataclass(frozen=True, slots=True)
class Replication:
    """What a new cluster is told of replication: its side, and a line for its controllers."""

    mode: Literal["master", "slave"]
    controllers: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of configuration files that are understood."""

    path: Path
    nodes: dict[str, NodeConfig]

    @property
    def sites(self) -> tuple[Site, ...]:
        return tuple(node.site for node in self.nodes.values())

    @property
    def groups(self) -> dict[int, tuple[str, ...]]:
        """The members of each group."""
        return {g.id: g.aliases for node in self.nodes.values() for g in node.groups}

    def home(self, alias: str) -> Path:
        return self.path / alias

    def log(self, alias: str) -> Path:
        return self.home(alias) / LOG

    def prepare(self, alias: str) -> None:
        """Make a node's folder, where the configuration is found as config/. Raises WorldError.

        It is a link, not a copy: there is one truth about the cluster.
        """
        home = self.home(alias)
        link = home / FOLDER
        try:
            home.mkdir(exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(Path("..") / FOLDER)
        except OSError as error:
            raise WorldError(f"cannot prepare {home}: {error.strerror}", node=alias) from error


def understood(path: Path) -> Directory:
    """Read config/ below `path` as each of its nodes will. Raises ScenarioError, by file, line."""
    if not (path / NODES_FILE).is_file():
        raise UsageError(
            f"{path / NODES_FILE}: no such file; for a new cluster: "
            f"delphic up --new {shlex.quote(str(path))}"
        )

    def read(file: str) -> bytes | None:
        place = path / file
        return place.read_bytes() if place.is_file() else None

    try:
        return _understood(path, read)
    except ConfigError as error:
        file = str(path / error.file)
        raise ScenarioError(error.message, file=file, line=error.line) from None
    except OSError as error:
        raise WorldError(f"cannot read {error.filename}: {error.strerror}") from error


def _understood(path: Path, read: Read) -> Directory:
    aliases = read_sites(read)
    if FOLDER in aliases:
        lines = (read(NODES_FILE) or b"").decode("utf-8-sig").splitlines()
        named = re.compile(rf"[^#]*:\s*{FOLDER}\s*,")
        at = next((n for n, line in enumerate(lines, start=1) if named.match(line)), None)
        message = f"no node can be called {FOLDER} here: that folder holds the configuration"
        raise ConfigError(message, file=NODES_FILE, line=at)
    return Directory(path, {a: load(str((path / a).resolve()), a, read) for a in aliases})


def a_controller(path: Path) -> Site:
    """One controller of the cluster in that directory. Raises as `understood`, and UsageError."""
    for node in understood(path).nodes.values():
        if node.is_controller:
            return node.site
    raise UsageError(f"{path} has no controllers, and so no databases to replicate")


def create(
    path: Path,
    members: int,
    groups: str | None,
    controllers: int = 0,
    replication: Replication | None = None,
    more: Sequence[str] = (),
) -> None:
    """Write a new cluster of this host; never over one that is there, and none that nodes refuse.

    `groups` as in `streamingRaftGroups`; None: group 2, of all members. With controllers there are
    databases, too. Each of `more`, as OPTION=VALUE, goes where that option belongs, in place of
    what would stand there. Raises UsageError, WorldError.
    """
    if (path / FOLDER).exists():
        again = shlex.join(["delphic", "up", str(path)])
        raise UsageError(f"{path / 'config'} is there already; start it with: {again}")
    aliases = [f"n{number}" for number in range(1, members + 1)]
    modes = {f"c{number}": CONTROLLER for number in range(1, controllers + 1)}
    modes |= dict.fromkeys(aliases, DATA_NODE)
    for line in (*more, groups or ""):
        if not line.isprintable():
            raise UsageError(f"{line!r} is not one line of text")
    lines = [
        f"{_LOOPBACK}:{port}:{alias},{mode}"
        for (alias, mode), port in zip(modes.items(), _free(len(modes)), strict=True)
    ]
    others = _CONTROLLERS if controllers else "# Data nodes take no option from this file.\n"
    settings = _SETTINGS.format(groups=groups or ":".join(["2", *aliases]))
    if not {_FIRST_LOGIN, "authentication"} & {_name(line) for line in more}:
        others += (
            _OPEN.format(too=", and take authentication=off out of cluster.cfg, too")
            if controllers
            else ""
        )
        settings += _OPEN_TOO if controllers else _OPEN.format(too="")
    if replication is not None:
        others += f"{replication.controllers}\n"
        settings += f"clusterReplicationMode={replication.mode}\n"
    for_controllers = [line for line in more if CONTROLLER in _owners(line, modes)]
    for_nodes = [line for line in more if DATA_NODE in _owners(line, modes)]
    files = {
        NODES_FILE: "\n".join([NODES_HEADER, *lines]) + "\n",
        CLUSTER_FILE: _merged(settings, for_nodes),
        CONTROLLER_FILE: _merged(others, for_controllers),
    }
    try:
        _understood(path, {file: text.encode() for file, text in files.items()}.get)
    except ConfigError as error:
        raise UsageError(f"{error.message}; nothing is written") from None
    try:
        (path / FOLDER).mkdir(parents=True)
        for file, text in files.items():
            (path / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorldError(f"cannot write {path / 'config'}: {error.strerror}") from error


def _name(line: str) -> str:
    """Of the option in OPTION=VALUE, or ALIAS.OPTION=VALUE."""
    return line.partition("=")[0].rpartition(".")[2].strip()


def _owners(line: str, modes: Mapping[str, str]) -> set[str]:
    """The modes in whose files a line belongs; cluster.cfg refuses what belongs nowhere."""
    alias, name = line.partition("=")[0].rpartition(".")[0].strip(), _name(line)
    has_controllers = CONTROLLER in modes.values()
    owners = set()
    if name in CONTROLLER_OPTIONS and (has_controllers or name not in OPTIONS):
        owners.add(CONTROLLER)
    if name in OPTIONS and not (has_controllers and name == _FIRST_LOGIN):
        owners.add(DATA_NODE)
    return (owners & {modes[alias]} if alias in modes else owners) or {DATA_NODE}


def _merged(template: str, more: Sequence[str]) -> str:
    """The template with lines more; the options that these give are theirs alone."""
    given = {line.partition("=")[0].strip() for line in more}
    kept = [line for line in template.splitlines() if line.partition("=")[0] not in given]
    return "\n".join([*kept, *more]) + "\n"


def of_this_host(sites: Sequence[Site]) -> list[Site]:
    """Those whose address is one of ours, and free. Raises WorldError for what is taken."""
    ours = []
    for site in sites:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                site.host, site.port, type=socket.SOCK_STREAM
            )[0]
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                continue
            message = f"cannot listen at {site.host}:{site.port}: {error.strerror}"
            raise WorldError(message, node=site.alias) from error
        ours.append(site)
    return ours


def _free(count: int) -> list[int]:
    """Distinct ports that nobody listens at now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((_LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
