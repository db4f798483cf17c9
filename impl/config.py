"""Reads cluster.nodes, cluster.cfg and controller.cfg into what one node needs to know.

Refuses what it does not understand, by file and line and with what would be right. Reading goes
through a function given by the caller, so that nothing here touches a disk.
"""

import hashlib
import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from .options import PLACES, GroupLine, OptionValue
from .raft.checkpoints import Policy
from .replication.options import ReplicationOptions, read_replication
from .runtime import Tls
from .settings import CLUSTER_FILE as CLUSTER_FILE
from .settings import CONTROLLER as CONTROLLER
from .settings import CONTROLLER_FILE as CONTROLLER_FILE
from .settings import DATA_NODE as DATA_NODE
from .settings import (
    KNOWN,
    OWN_FILES,
    Read,
    Settings,
    lines_of,
    listed,
    read_settings,
    setting_of,
    text_of,
)
from .settings import NODES_FILE as NODES_FILE
from .settings import NODES_HEADER as NODES_HEADER
from .settings import ConfigError as ConfigError
from .site import Site, parse_site

TLS_OPTIONS = ("tlsCertificate", "tlsKey", "tlsAuthority")

CATALOG_GROUP = 1
"""The id of the controllers' Raft group."""


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
    """All that one node was told. Directories are absolute.

    `sites` are all nodes of the cluster; those of one mode come in the order of the configuration.
    """

    site: Site
    sites: Mapping[str, Site]
    controllers: tuple[Site, ...]
    data_nodes: tuple[Site, ...]
    groups: tuple[GroupConfig, ...]
    cluster_id: str
    persistence_dir: str
    streaming_ha_dir: str
    election_tick_s: float
    frame_bytes_max: int
    request_entries_max: int
    data_file_bytes: int
    checkpoints: Policy
    meta_dir: str
    volumes: str
    replication: ReplicationOptions
    trace_file: str | None
    seeded_bugs: frozenset[str]
    wants_login: bool
    users_file: str
    first_password: str | None = field(repr=False)
    tls: Tls | None

    @property
    def alias(self) -> str:
        return self.site.alias

    @property
    def is_controller(self) -> bool:
        return self.site in self.controllers

    @property
    def folders(self) -> Mapping[str, str]:
        """What no other process may use, by the option that names it."""
        if self.is_controller:
            return {"dfsMetaDir": self.meta_dir}
        mine = {"persistenceDir": self.persistence_dir, "streamingHADir": self.streaming_ha_dir}
        return mine | {"volumes": self.volumes} if self.controllers else mine


def load(home: str, alias: str, read: Read, *, allow_seeded_bugs: bool = False) -> NodeConfig:
    """The configuration of node `alias` below `home`; raises ConfigError."""
    nodes = _nodes(NODES_FILE, text_of(NODES_FILE, read))
    sites = {name: site for name, (site, _) in nodes.items()}
    if alias not in sites:
        raise ConfigError(f"no node is called {alias}; there are {listed(sites)}", file=NODES_FILE)
    modes = {name: mode for name, (_, mode) in nodes.items()}
    settings = {
        file: read_settings(file, read, [name for name in nodes if OWN_FILES[modes[name]] == file])
        for file in OWN_FILES.values()
    }
    controllers = tuple(site for name, site in sites.items() if modes[name] == CONTROLLER)
    data_nodes = tuple(site for name, site in sites.items() if modes[name] == DATA_NODE)
    _check(settings, sites, controllers, allow_seeded_bugs=allow_seeded_bugs)
    lines = _group_lines(settings[CLUSTER_FILE], [site.alias for site in data_nodes])
    _check_frame_sizes(settings, lines, controllers, data_nodes)
    groups = [line for line in lines if alias in line.aliases]

    def option(name: str, file: str = OWN_FILES[modes[alias]]) -> OptionValue | None:
        setting = setting_of(settings[file], alias, name)
        return KNOWN[file][name].default if setting is None else setting.value

    def number(name: str, file: str = OWN_FILES[modes[alias]]) -> int:
        value = option(name, file)
        assert isinstance(value, int)
        return value

    def path(name: str, file: str) -> str:
        return posixpath.join(home, str(option(name, file)))

    persistence_dir = _persistence_dir(alias, groups, option("persistenceDir", CLUSTER_FILE))
    trace_file = option("traceFile")
    purge = "streamingHAPurge"
    if modes[alias] == CONTROLLER:
        purge = "dfsMetaPurge"
        groups = [GroupLine(CATALOG_GROUP, tuple(site.alias for site in controllers))]
    config = NodeConfig(
        site=sites[alias],
        sites=sites,
        controllers=controllers,
        data_nodes=data_nodes,
        groups=tuple(GroupConfig(g.id, tuple(sites[a] for a in g.aliases)) for g in groups),
        cluster_id=_cluster_id(sites, lines, controllers),
        persistence_dir=posixpath.join(home, persistence_dir),
        streaming_ha_dir=path("streamingHADir", CLUSTER_FILE),
        election_tick_s=number("raftElectionTick") / 100,
        frame_bytes_max=number("maxFrameSize"),
        request_entries_max=number("raftRequestEntries"),
        data_file_bytes=number("dataFileSize", CLUSTER_FILE),
        checkpoints=Policy(number(purge + "Interval"), number(purge + "Size")),
        meta_dir=path("dfsMetaDir", CONTROLLER_FILE),
        volumes=path("volumes", CLUSTER_FILE),
        replication=read_replication(
            lambda name: option(name, CONTROLLER_FILE),
            lambda name: option(name, CLUSTER_FILE),
            home,
        ),
        trace_file=None if trace_file is None else posixpath.join(home, str(trace_file)),
        seeded_bugs=cast(frozenset[str], option("seededBugs") or frozenset()),
        wants_login=option("authentication") == "on",
        users_file=path("usersFile", CLUSTER_FILE),
        tls=_tls([option(name) for name in TLS_OPTIONS], home, OWN_FILES[modes[alias]]),
        first_password=cast(str | None, option("initialAdminPassword")),
    )
    _check_own_places(config, settings[CLUSTER_FILE])
    return config


def read_sites(read: Read) -> dict[str, Site]:
    """All nodes of cluster.nodes by alias; raises ConfigError."""
    nodes = _nodes(NODES_FILE, text_of(NODES_FILE, read))
    return {alias: site for alias, (site, _) in nodes.items()}


def _tls(paths: list[OptionValue | None], home: str, file: str) -> Tls | None:
    """All three files, or TLS is off."""
    if None in paths:
        if any(path is not None for path in paths):
            raise ConfigError(f"TLS needs {', '.join(TLS_OPTIONS)}", file=file)
        return None
    certificate, key, authority = (posixpath.join(home, str(path)) for path in paths)
    return Tls(authority, certificate, key)


def _nodes(file: str, text: str) -> dict[str, tuple[Site, str]]:
    """Sites and modes."""
    lines = lines_of(text)
    if not lines or lines[0][1].replace(" ", "") != NODES_HEADER:
        at = lines[0][0] if lines else 1
        raise ConfigError(f"the first line must be '{NODES_HEADER}'", file=file, line=at)
    nodes: dict[str, tuple[Site, str]] = {}
    seen: dict[tuple[str, int], str] = {}
    for number, line in lines[1:]:
        place, _, mode = (word.strip() for word in line.partition(","))
        if mode not in OWN_FILES:
            raise ConfigError(
                f"want host:port:alias,datanode or host:port:alias,controller, got '{line}'",
                file=file,
                line=number,
            )
        try:
            site = parse_site(place)
        except ValueError as error:
            raise ConfigError(str(error), file=file, line=number) from None
        if site.alias in nodes:
            raise ConfigError(f"{site.alias} is given twice", file=file, line=number)
        address = (site.host, site.port)
        if address in seen:
            raise ConfigError(
                f"{site.host}:{site.port} is already {seen[address]}", file=file, line=number
            )
        nodes[site.alias] = (site, mode)
        seen[address] = site.alias
    if all(mode != DATA_NODE for _, mode in nodes.values()):
        raise ConfigError("names no data node" if nodes else "names no node", file=file)
    return nodes


def _group_lines(settings: Settings, aliases: Collection[str]) -> tuple[GroupLine, ...]:
    setting = settings.get((None, "streamingRaftGroups"))
    if setting is None:
        return ()
    if (None, "streamingHAMode") not in settings:
        raise ConfigError(
            "streamingRaftGroups needs streamingHAMode=raft", file=CLUSTER_FILE, line=setting.line
        )
    groups = cast(tuple[GroupLine, ...], setting.value)
    for group in groups:
        for alias in group.aliases:
            if alias not in aliases:
                raise ConfigError(
                    f"group {group.id} names {alias}; there are {listed(aliases)}",
                    file=CLUSTER_FILE,
                    line=setting.line,
                )
    return groups


def _persistence_dir(alias: str, groups: list[GroupLine], told: OptionValue | None) -> str:
    if groups and told is None:
        raise ConfigError(
            f"persistenceDir is missing for {alias}, a member of group {groups[0].id}; "
            f"write {alias}.persistenceDir=PATH",
            file=CLUSTER_FILE,
        )
    return str(told or "data")


def _check(
    settings: Mapping[str, Settings],
    sites: Mapping[str, Site],
    controllers: tuple[Site, ...],
    *,
    allow_seeded_bugs: bool,
) -> None:
    """What concerns more than one line."""
    for file, found in settings.items():
        _check_seeded_bugs(file, found, allow=allow_seeded_bugs)
        _check_distinct_places(file, found, sites)
    if not controllers:
        return
    for (_, name), setting in settings[CLUSTER_FILE].items():
        if name in ("usersFile", "initialAdminPassword"):
            raise ConfigError(
                f"{name}: the controllers keep the users; see {CONTROLLER_FILE}",
                file=CLUSTER_FILE,
                line=setting.line,
            )
    asks = (None, "authentication")
    said = [found[asks].value if asks in found else "on" for found in settings.values()]
    if len(set(said)) > 1:
        raise ConfigError(
            f"authentication is {said[1]} here and {said[0]} in {CLUSTER_FILE}",
            file=CONTROLLER_FILE,
        )


def _check_seeded_bugs(file: str, settings: Settings, *, allow: bool) -> None:
    for (_, name), setting in settings.items():
        if name == "seededBugs" and not allow:
            raise ConfigError(
                "seededBugs breaks promises on purpose; only a test that starts nodes with "
                "--allow-seeded-bugs may use it",
                file=file,
                line=setting.line,
            )


def _check_distinct_places(file: str, settings: Settings, sites: Mapping[str, Site]) -> None:
    """Nodes of one host must not share a place; relative paths lie below each node's home."""
    for name in PLACES:
        taken: dict[tuple[str, str], str] = {}
        for alias, site in sites.items():
            setting = setting_of(settings, alias, name)
            if setting is None or not posixpath.isabs(str(setting.value)):
                continue
            place = (site.host, posixpath.normpath(str(setting.value)))
            if place in taken:
                raise ConfigError(
                    f"{taken[place]} and {alias} on {site.host} share {name}={setting.value}; "
                    f"give each its own, as in {alias}.{name}=PATH",
                    file=file,
                    line=setting.line,
                )
            taken[place] = alias


def _check_own_places(config: NodeConfig, settings: Settings) -> None:
    """What a node writes of one kind must not be among what it writes of another."""
    taken: dict[str, str] = {}
    for name, folder in config.folders.items():
        place = posixpath.normpath(folder)
        if place in taken:
            said = [setting_of(settings, config.alias, one) for one in (taken[place], name)]
            raise ConfigError(
                f"{taken[place]} and {name} of {config.alias} are one folder, {place}; "
                "give each its own",
                file=CLUSTER_FILE,
                line=max((setting.line for setting in said if setting), default=None),
            )
        taken[place] = name


def _check_frame_sizes(
    settings: Mapping[str, Settings],
    lines: tuple[GroupLine, ...],
    controllers: tuple[Site, ...],
    data_nodes: tuple[Site, ...],
) -> None:
    """What one logs the others must take, or nothing is committed any more (promise HS-22)."""
    circles = [(f"group {line.id}", CLUSTER_FILE, line.aliases) for line in lines]
    if controllers:
        aliases = tuple(site.alias for site in data_nodes)
        circles.append(("the data nodes", CLUSTER_FILE, aliases))
        aliases = tuple(site.alias for site in controllers)
        circles.append(("the controllers", CONTROLLER_FILE, aliases))
    name = "maxFrameSize"
    for circle, file, (first, *others) in circles:
        common = setting_of(settings[file], first, name)
        for alias in others:
            own = setting_of(settings[file], alias, name)
            sizes = [one.value if one else KNOWN[file][name].default for one in (common, own)]
            if sizes[0] != sizes[1]:
                raise ConfigError(
                    f"{name} is {sizes[0]} for {first} and {sizes[1]} for {alias}; "
                    f"what one of {circle} sends, all must take",
                    file=file,
                    line=max(one.line for one in (common, own) if one),
                )


def _cluster_id(
    sites: Mapping[str, Site], lines: tuple[GroupLine, ...], controllers: tuple[Site, ...]
) -> str:
    """Equal on nodes that agree on who is in the cluster and in which group."""
    groups = sorted(f"{line.id}:{':'.join(line.aliases)}" for line in lines)
    text = f"{','.join(sorted(sites))};{','.join(groups)}"
    if controllers:
        text += f";{','.join(sorted(site.alias for site in controllers))}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
