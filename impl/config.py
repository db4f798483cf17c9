"""Reads cluster.nodes, cluster.cfg and controller.cfg into what one data node needs to know.

Refuses what it does not understand, by file and line and with what would be right. Reading goes
through a function given by the caller, so that nothing here touches a disk.
"""

import hashlib
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from .options import OPTIONS, GroupLine, OptionValue
from .raft.checkpoints import Policy
from .runtime import Tls
from .site import Site, parse_site

NODES_FILE = "config/cluster.nodes"
CLUSTER_FILE = "config/cluster.cfg"
CONTROLLER_FILE = "config/controller.cfg"
NODES_HEADER = "localSite,mode"

TLS_OPTIONS = ("tlsCertificate", "tlsKey", "tlsAuthority")

Read = Callable[[str], bytes | None]
"""Gives the bytes of a file, or None if there is no such file."""


class ConfigError(Exception):
    """A configuration that cannot be used: where, and what would be right."""

    def __init__(self, message: str, *, file: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class GroupConfig:
    """One Raft group: its id and the sites of its members, in the order of the configuration."""

    id: int
    sites: tuple[Site, ...]

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(site.alias for site in self.sites)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """All that one data node was told. Directories are absolute."""

    site: Site
    sites: Mapping[str, Site]
    groups: tuple[GroupConfig, ...]
    cluster_id: str
    persistence_dir: str
    streaming_ha_dir: str
    election_tick_s: float
    frame_bytes_max: int
    request_entries_max: int
    checkpoints: Policy
    trace_file: str | None
    seeded_bugs: frozenset[str]
    wants_login: bool
    users_file: str
    first_password: str | None = field(repr=False)
    tls: Tls | None

    @property
    def alias(self) -> str:
        return self.site.alias


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of cluster.cfg, understood."""

    value: OptionValue
    line: int


Settings = dict[tuple[str | None, str], Setting]
"""(alias, or None for all nodes; option name) → what was written."""


def load(home: str, alias: str, read: Read, *, allow_seeded_bugs: bool = False) -> NodeConfig:
    """The configuration of node `alias` below `home`; raises ConfigError."""
    sites = read_sites(read)
    if alias not in sites:
        raise ConfigError(
            f"no node is called {alias}; there are {', '.join(sites)}", file=NODES_FILE
        )
    settings = _settings(CLUSTER_FILE, _text(CLUSTER_FILE, read), sites)
    _no_controller_options(CONTROLLER_FILE, read(CONTROLLER_FILE))
    _check_seeded_bugs(settings, allow=allow_seeded_bugs)
    _check_distinct_places(settings, sites)
    lines = _group_lines(settings, sites)
    own = [line for line in lines if alias in line.aliases]

    def option(name: str) -> OptionValue | None:
        setting = settings.get((alias, name)) or settings.get((None, name))
        return OPTIONS[name].default if setting is None else setting.value

    persistence_dir = option("persistenceDir")
    if own and persistence_dir is None:
        raise ConfigError(
            f"persistenceDir is missing for {alias}, a member of group {own[0].id}; "
            f"write {alias}.persistenceDir=PATH",
            file=CLUSTER_FILE,
        )
    trace_file = option("traceFile")
    tick = option("raftElectionTick")
    frame_bytes_max = option("maxFrameSize")
    assert isinstance(tick, int)
    request_entries_max = option("raftRequestEntries")
    assert isinstance(frame_bytes_max, int)
    assert isinstance(request_entries_max, int)
    first_password = option("initialAdminPassword")
    interval, log_bytes_max = option("streamingHAPurgeInterval"), option("streamingHAPurgeSize")
    assert isinstance(interval, int)
    assert isinstance(log_bytes_max, int)
    bugs = option("seededBugs") or frozenset()
    assert isinstance(bugs, frozenset)
    return NodeConfig(
        site=sites[alias],
        sites=sites,
        groups=tuple(GroupConfig(g.id, tuple(sites[a] for a in g.aliases)) for g in own),
        cluster_id=_cluster_id(sites, lines),
        persistence_dir=posixpath.join(home, str(persistence_dir or "data")),
        streaming_ha_dir=posixpath.join(home, str(option("streamingHADir"))),
        election_tick_s=tick / 100,
        frame_bytes_max=frame_bytes_max,
        request_entries_max=request_entries_max,
        checkpoints=Policy(interval, log_bytes_max),
        trace_file=None if trace_file is None else posixpath.join(home, str(trace_file)),
        seeded_bugs=bugs,
        wants_login=option("authentication") == "on",
        users_file=posixpath.join(home, str(option("usersFile"))),
        tls=_tls([option(name) for name in TLS_OPTIONS], home),
        first_password=None if first_password is None else str(first_password),
    )


def read_sites(read: Read) -> dict[str, Site]:
    """All nodes of cluster.nodes by alias; raises ConfigError."""
    return _sites(NODES_FILE, _text(NODES_FILE, read))


def _tls(paths: list[OptionValue | None], home: str) -> Tls | None:
    """All three files, or TLS is off."""
    if None in paths:
        if any(path is not None for path in paths):
            raise ConfigError(f"TLS needs {', '.join(TLS_OPTIONS)}", file=CLUSTER_FILE)
        return None
    certificate, key, authority = (posixpath.join(home, str(path)) for path in paths)
    return Tls(authority, certificate, key)


def _text(file: str, read: Read) -> str:
    data = read(file)
    if data is None:
        raise ConfigError("no such file", file=file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError("not UTF-8 text", file=file, line=line) from None


def _lines(text: str) -> list[tuple[int, str]]:
    """Numbered lines without blank ones and comments."""
    numbered = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


def _sites(file: str, text: str) -> dict[str, Site]:
    lines = _lines(text)
    if not lines or lines[0][1].replace(" ", "") != NODES_HEADER:
        at = lines[0][0] if lines else 1
        raise ConfigError(f"the first line must be '{NODES_HEADER}'", file=file, line=at)
    sites: dict[str, Site] = {}
    seen: dict[tuple[str, int], str] = {}
    for number, line in lines[1:]:
        place, _, mode = (word.strip() for word in line.partition(","))
        if mode != "datanode":
            raise ConfigError(
                f"want host:port:alias,datanode, got '{line}'", file=file, line=number
            )
        try:
            site = parse_site(place)
        except ValueError as error:
            raise ConfigError(str(error), file=file, line=number) from None
        if site.alias in sites:
            raise ConfigError(f"{site.alias} is given twice", file=file, line=number)
        address = (site.host, site.port)
        if address in seen:
            raise ConfigError(
                f"{site.host}:{site.port} is already {seen[address]}", file=file, line=number
            )
        sites[site.alias] = site
        seen[address] = site.alias
    if not sites:
        raise ConfigError("names no node", file=file)
    return sites


def _settings(file: str, text: str, sites: Mapping[str, Site]) -> Settings:
    settings: Settings = {}
    for number, line in _lines(text):
        left, equals, value = (word.strip() for word in line.partition("="))
        if not equals or not left:
            raise ConfigError(f"want option=value, got '{line}'", file=file, line=number)
        key = _key(file, number, left, sites)
        if key in settings:
            raise ConfigError(
                f"{left} is already given on line {settings[key].line}", file=file, line=number
            )
        try:
            settings[key] = Setting(OPTIONS[key[1]].parse(value), number)
        except ValueError as error:
            raise ConfigError(f"{left}: {error}", file=file, line=number) from None
    return settings


def _key(file: str, number: int, left: str, sites: Mapping[str, Site]) -> tuple[str | None, str]:
    before, dot, after = left.partition(".")
    alias, name = (before, after) if dot else (None, left)
    if alias is not None and alias not in sites:
        raise ConfigError(
            f"no node is called {alias}; there are {', '.join(sites)}", file=file, line=number
        )
    if name not in OPTIONS:
        close = get_close_matches(name, OPTIONS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(OPTIONS))}"
        raise ConfigError(f"unknown option '{name}'; {hint}", file=file, line=number)
    if alias is not None and not OPTIONS[name].per_node:
        raise ConfigError(
            f"{name} is one for all nodes; write it without '{alias}.'", file=file, line=number
        )
    return alias, name


def _group_lines(settings: Settings, sites: Mapping[str, Site]) -> tuple[GroupLine, ...]:
    setting = settings.get((None, "streamingRaftGroups"))
    if setting is None:
        return ()
    if (None, "streamingHAMode") not in settings:
        raise ConfigError(
            "streamingRaftGroups needs streamingHAMode=raft", file=CLUSTER_FILE, line=setting.line
        )
    assert isinstance(setting.value, tuple)
    for group in setting.value:
        for alias in group.aliases:
            if alias not in sites:
                raise ConfigError(
                    f"group {group.id} names {alias}; there are {', '.join(sites)}",
                    file=CLUSTER_FILE,
                    line=setting.line,
                )
    return setting.value


def _no_controller_options(file: str, data: bytes | None) -> None:
    for number, line in _lines((data or b"").decode("utf-8", "replace")):
        name = line.partition("=")[0].strip()
        raise ConfigError(
            f"unknown option '{name}'; data nodes take none from this file",
            file=file,
            line=number,
        )


def _check_seeded_bugs(settings: Settings, *, allow: bool) -> None:
    for (_, name), setting in settings.items():
        if name == "seededBugs" and not allow:
            raise ConfigError(
                "seededBugs breaks promises on purpose; only a test that starts nodes with "
                "--allow-seeded-bugs may use it",
                file=CLUSTER_FILE,
                line=setting.line,
            )


def _check_distinct_places(settings: Settings, sites: Mapping[str, Site]) -> None:
    """Nodes of one host must not share a place; relative paths lie below each node's home."""
    for name in ("persistenceDir", "streamingHADir", "traceFile", "usersFile"):
        taken: dict[tuple[str, str], str] = {}
        for alias, site in sites.items():
            setting = settings.get((alias, name)) or settings.get((None, name))
            if setting is None or not posixpath.isabs(str(setting.value)):
                continue
            place = (site.host, posixpath.normpath(str(setting.value)))
            if place in taken:
                raise ConfigError(
                    f"{taken[place]} and {alias} on {site.host} share {name}={setting.value}; "
                    f"give each its own, as in {alias}.{name}=PATH",
                    file=CLUSTER_FILE,
                    line=setting.line,
                )
            taken[place] = alias


def _cluster_id(sites: Mapping[str, Site], lines: tuple[GroupLine, ...]) -> str:
    """Equal on nodes that agree on who is in the cluster and in which group."""
    groups = sorted(f"{line.id}:{':'.join(line.aliases)}" for line in lines)
    text = f"{','.join(sorted(sites))};{','.join(groups)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
