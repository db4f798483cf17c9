"""What all systems of Delphic's own nodes share: how one is started, and what it tells."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...impl.config import load
from ...impl.host import Node
from ...impl.launch import run_node
from ...impl.runtime import Runtime
from ..conduct.triggers import MemberState
from ..system import Member, Place, Setup


def refused(name: str, own: Mapping[str, str]) -> str | None:
    """Why a scenario may not say this option; None if it may.

    `own` are the harness's own, each with the reason. Whoever reads the file finds more in a line
    than a name: an alias before a point, blanks, a comment, another line.
    """
    if not re.fullmatch("[A-Za-z][A-Za-z0-9]*", name):
        return f"{name!r} is no option: a name is letters and digits (members: `node_config`)"
    return f"not for scenarios: {own[name]}" if name in own else None


def command(setup: Setup, alias: str, place: Place, dials: Iterable[str]) -> list[str]:
    """The argument list that starts a node; `dials` are values of its option --dial."""
    words = [place.python, "-m", "delphic.impl.node", "--home", str(place.home), "--alias", alias]
    for dial in dials:
        words += ["--dial", dial]
    if place.source is not None:
        words += ["--from", place.source]
    if place.is_reserved:
        words.append("--reuse-port")
    if setup.bugs:
        words.append("--allow-seeded-bugs")
    return words


async def program(
    setup: Setup,
    alias: str,
    home: Path,
    started: Callable[[Member], None],
    runtime: Runtime,
    group: int,
) -> None:
    """Run a node inside this process until it ends; its state is that of one of its groups."""

    def read(path: str) -> bytes | None:
        return runtime.disk.read(str(home / path))

    config = load(str(home), alias, read, allow_seeded_bugs=bool(setup.bugs))
    await run_node(config, runtime, started=lambda node: started(NodeMember(node, group)))


@dataclass(frozen=True, slots=True)
class NodeMember:
    """A node in this process; a `Member`."""

    node: Node
    group: int

    def inspect(self) -> dict[str, Any]:
        return self.node.inspect()

    def state(self) -> MemberState | None:
        core = self.node.core(self.group)
        if core is None:
            return None
        last = core.log.last_index
        return MemberState(
            term=core.term,
            vote=core.vote,
            role=core.role.value,
            leader=core.leader,
            commit=core.commit,
            last=last,
            last_term=core.log.term_at(last),
        )
