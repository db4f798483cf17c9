"""The options of cluster.cfg and controller.cfg: names as documented, values, whom they concern.

Only options that do something now are listed: any other name is refused, so that nobody believes
in a setting that is read by nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import bugs
from .site import parse_address
from .users import NAME, PASSWORD_CHARACTERS_MAX

OptionValue = int | str | tuple["GroupLine", ...] | tuple[str, int] | frozenset[str]

GROUP_ID_MIN = 2
GROUP_MEMBERS_MIN = 3
FRAME_BYTES_MIN = 4 << 20
"""Room for what members send one another at once (raft/progress.py: 1 MiB of entries)."""

FRAME_BYTES_MAX = 1 << 30

REQUEST_ENTRIES_MAX = 1024


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One Raft group as written in `streamingRaftGroups`."""

    id: int
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """One documented option. `parse` raises ValueError with what would be right."""

    name: str
    parse: Callable[[str], OptionValue]
    per_node: bool
    default: OptionValue | None


def _number(low: int, high: int, unit: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"want a whole number of {unit} from {low} to {high}, got '{text}'")
        return int(text)

    return parse


_SECONDS = _number(1, 31_536_000, "seconds")
_MILLISECONDS = _number(1, 86_400_000, "milliseconds")
_BYTES = _number(1024, 1 << 40, "bytes")


def _mode(text: str) -> str:
    if text != "raft":
        raise ValueError(f"the only mode is 'raft', got '{text}'")
    return text


def _switch(text: str) -> str:
    if text not in ("on", "off"):
        raise ValueError(f"want on or off, got '{text}'")
    return text


def _truth(text: str) -> int:
    if text not in ("true", "false"):
        raise ValueError(f"want true or false, got '{text}'")
    return text == "true"


def _side(text: str) -> str:
    if text not in ("master", "slave"):
        raise ValueError(f"want master or slave, got '{text}'")
    return text


def _user(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"want a user's name, got '{text}'")
    return text


def _password(text: str) -> str:
    if not 0 < len(text) <= PASSWORD_CHARACTERS_MAX:
        raise ValueError(f"want 1 to {PASSWORD_CHARACTERS_MAX} characters")
    return text


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("want a path")
    return text


def _groups(text: str) -> tuple[GroupLine, ...]:
    """Promise HS-19: an id below 2 or fewer than 3 distinct members is refused."""
    groups: dict[int, GroupLine] = {}
    for part in text.split(","):
        head, *aliases = (word.strip() for word in part.split(":"))
        if not re.fullmatch(r"[0-9]{1,9}", head) or not all(aliases):
            raise ValueError(f"want groupId:alias:alias:alias[,…], got '{part.strip()}'")
        group = int(head)
        if group < GROUP_ID_MIN:
            raise ValueError(f"a group id is at least {GROUP_ID_MIN}, got {group}")
        if group in groups:
            raise ValueError(f"group {group} is given twice")
        if len(set(aliases)) < len(aliases):
            twice = next(alias for alias in aliases if aliases.count(alias) > 1)
            raise ValueError(f"group {group} names {twice} twice")
        if len(aliases) < GROUP_MEMBERS_MIN:
            raise ValueError(
                f"group {group} has {len(aliases)} members, it needs at least {GROUP_MEMBERS_MIN}"
            )
        groups[group] = GroupLine(group, tuple(aliases))
    return tuple(groups.values())


def _bugs(text: str) -> frozenset[str]:
    return bugs.parse(name.strip() for name in text.split(","))


def _table(*options: Option) -> dict[str, Option]:
    return {option.name: option for option in options}


_COMMON = (
    # 800 x 10 ms is the documented default of the controllers' groups; that of streaming
    # groups is not documented (V11).
    Option("raftElectionTick", _number(2, 60_000, "10 ms"), per_node=True, default=800),
    Option(
        "maxFrameSize",
        _number(FRAME_BYTES_MIN, FRAME_BYTES_MAX, "bytes"),
        per_node=True,
        default=64 << 20,
    ),
    # Delphic's own, as are those that follow. 1: entries go one by one, as in papers.
    Option(
        "raftRequestEntries",
        _number(1, REQUEST_ENTRIES_MAX, "entries"),
        per_node=True,
        default=REQUEST_ENTRIES_MAX,
    ),
    Option("authentication", _switch, per_node=False, default="on"),
    Option("initialAdminPassword", _password, per_node=True, default=None),
    Option("tlsCertificate", _path, per_node=True, default=None),
    Option("tlsKey", _path, per_node=True, default=None),
    Option("tlsAuthority", _path, per_node=True, default=None),
    Option("traceFile", _path, per_node=True, default=None),
    Option("seededBugs", _bugs, per_node=True, default=None),
)

OPTIONS = _table(
    Option("streamingHAMode", _mode, per_node=False, default=None),
    Option("streamingRaftGroups", _groups, per_node=False, default=None),
    Option("persistenceDir", _path, per_node=True, default=None),
    Option("streamingHADir", _path, per_node=True, default="log/streamLog"),
    Option("streamingHAPurgeInterval", _SECONDS, per_node=True, default=300),
    # Delphic's own: documents say that the log's size counts, too (V5), and give no name.
    Option("streamingHAPurgeSize", _BYTES, per_node=True, default=256 << 20),
    # Delphic's own: a data file that has grown to this is followed by another.
    Option("dataFileSize", _BYTES, per_node=True, default=64 << 20),
    Option("usersFile", _path, per_node=True, default="users.json"),
    Option("volumes", _path, per_node=True, default="volumes"),
    Option("clusterReplicationMode", _side, per_node=False, default=None),
    Option("clusterReplicationWorkDir", _path, per_node=True, default="clusterReplication"),
    Option("clusterReplicationSyncPersistence", _truth, per_node=True, default=0),
    Option("clusterReplicationExecutionUsername", _user, per_node=False, default="admin"),
    Option("clusterReplicationExecutionPassword", _password, per_node=False, default="123456"),
    *_COMMON,
)
"""Of cluster.cfg."""

CONTROLLER_OPTIONS = _table(
    Option("dfsMetaDir", _path, per_node=True, default="dfsMeta"),
    # Delphic's own: when the catalog is saved as a whole, and the log before it forgotten.
    Option("dfsMetaPurgeInterval", _SECONDS, per_node=True, default=300),
    Option("dfsMetaPurgeSize", _BYTES, per_node=True, default=64 << 20),
    Option("clusterReplicationSlaveNum", _number(1, 64, "clusters"), per_node=False, default=None),
    Option("clusterReplicationMasterCtl", parse_address, per_node=False, default=None),
    # Delphic's own, as are those that follow: the documents give no names.
    Option("clusterReplicationPullInterval", _MILLISECONDS, per_node=False, default=1000),
    Option("clusterReplicationFailureLimit", _number(1, 1000, "times"), per_node=False, default=30),
    Option("clusterReplicationRetryDelay", _MILLISECONDS, per_node=False, default=1000),
    Option("clusterReplicationPersistDelay", _MILLISECONDS, per_node=False, default=5000),
    *_COMMON,
)
"""Of controller.cfg."""

PLACES = (
    "persistenceDir",
    "streamingHADir",
    "traceFile",
    "usersFile",
    "volumes",
    "clusterReplicationWorkDir",
    "dfsMetaDir",
)
"""Options that are paths to what a node writes."""
