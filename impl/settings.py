"""The files of a configuration, line by line: what is written there, and that it has a meaning.

Whatever is not understood is refused, by file and line and with what would be right.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from .options import CONTROLLER_OPTIONS, OPTIONS, OptionValue

NODES_FILE = "config/cluster.nodes"
CLUSTER_FILE = "config/cluster.cfg"
CONTROLLER_FILE = "config/controller.cfg"
NODES_HEADER = "localSite,mode"

DATA_NODE = "datanode"
CONTROLLER = "controller"

OWN_FILES = {DATA_NODE: CLUSTER_FILE, CONTROLLER: CONTROLLER_FILE}
"""Where a node's options are, by its mode."""

KNOWN = {CLUSTER_FILE: OPTIONS, CONTROLLER_FILE: CONTROLLER_OPTIONS}

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
class Setting:
    """One line of cluster.cfg or controller.cfg, understood."""

    value: OptionValue
    line: int


Settings = dict[tuple[str | None, str], Setting]
"""(alias, or None for all nodes; option name) → what was written."""


def setting_of(settings: Settings, alias: str, name: str) -> Setting | None:
    """What was written for that node, or else for all."""
    return settings.get((alias, name)) or settings.get((None, name))


def text_of(file: str, read: Read) -> str:
    """All of a file; raises ConfigError."""
    data = read(file)
    if data is None:
        raise ConfigError("no such file", file=file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError("not UTF-8 text", file=file, line=line) from None


def lines_of(text: str) -> list[tuple[int, str]]:
    """Numbered lines without blank ones and comments."""
    numbered = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


def read_settings(file: str, read: Read, aliases: Collection[str]) -> Settings:
    """What a file says, whose nodes are `aliases`; raises ConfigError."""
    if file == CONTROLLER_FILE and read(file) is None:
        return {}
    settings: Settings = {}
    text = text_of(file, read)
    for number, line in lines_of(text):
        left, equals, value = (word.strip() for word in line.partition("="))
        if not equals or not left:
            raise ConfigError(f"want option=value, got '{line}'", file=file, line=number)
        key = _key(file, number, left, aliases)
        if key in settings:
            raise ConfigError(
                f"{left} is already given on line {settings[key].line}", file=file, line=number
            )
        try:
            settings[key] = Setting(KNOWN[file][key[1]].parse(value), number)
        except ValueError as error:
            raise ConfigError(f"{left}: {error}", file=file, line=number) from None
    return settings


def _key(file: str, number: int, left: str, aliases: Collection[str]) -> tuple[str | None, str]:
    before, dot, after = left.partition(".")
    alias, name = (before, after) if dot else (None, left)
    known = KNOWN[file]
    reason = ""
    if file == CONTROLLER_FILE and not aliases:
        reason = f"unknown option '{name}'; data nodes take none from this file"
    elif alias is not None and alias not in aliases:
        mode = next(mode for mode, own in OWN_FILES.items() if own == file)
        reason = f"no {mode} is called {alias}; there are {listed(aliases)}"
    elif name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
        reason = f"unknown option '{name}'; {hint}"
    elif alias is not None and not known[name].per_node:
        reason = f"{name} is one for all nodes; write it without '{alias}.'"
    if reason:
        raise ConfigError(reason, file=file, line=number)
    return alias, name


def listed(names: Iterable[str]) -> str:
    """For a reader."""
    return ", ".join(names)
