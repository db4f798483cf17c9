"""Undoes on many hosts what runs left there whose harness is gone, and sees to their files."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DelphicError, WorldError
from . import agent
from .connection import Host
from .inventory import Entry, Inventory
from .left import Left, left, path, remove

Healed = tuple[str, list[str], bool]
"""A host's name, a sentence about each thing that was undone or not, and whether all is undone."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of the files of runs that are over: kept, unless it says otherwise."""

    home: Callable[[str, str], Path] | None = None
    """Where the part of a run is to be brought, before it is removed."""
    purge: bool = False
    """Whether they are removed as they are."""


async def heal_all(inventory: Inventory, fate: Fate) -> list[Healed]:
    """Heal all hosts side by side; one that cannot be reached hinders no other."""
    return list(await asyncio.gather(*(_heal(entry, fate) for entry in inventory.hosts)))


async def _heal(entry: Entry, fate: Fate) -> Healed:
    said: list[str] = []
    try:
        host = await Host.open(entry)
        try:
            undone, whole = await agent.heal(host)
            said += undone
            for one in await left(host):
                if not one.is_served:
                    sentence, is_settled = await _settle(host, one, fate)
                    said.append(sentence)
                    whole = whole and is_settled
        finally:
            host.close()
    except (DelphicError, OSError) as error:
        return entry.name, [*said, _why(error)], False
    return entry.name, said, whole


async def _settle(host: Host, one: Left, fate: Fate) -> tuple[str, bool]:
    """What becomes of a run's files, in a sentence, and whether that is what was wanted."""
    if not one.is_run:
        return f"{path(host, one.name)} was made by no run: left alone.", True
    what = f"The files of run {one.name} ({_size(one.bytes)}, begun {_age(one.age_s)} ago)"
    if fate.home is not None:
        return await _bring(host, one, fate.home, what)
    if fate.purge:
        await remove(host, one.name)
        return f"{what} are removed.", True
    return f"{what} are still there: --home RUNS brings them home, --purge removes them.", True


async def _bring(
    host: Host, one: Left, home: Callable[[str, str], Path], what: str
) -> tuple[str, bool]:
    """Bring home what can be; nothing is removed there before all of it has come."""
    places = {part: home(one.name, part) for part in one.parts}
    failed = []
    for part, place in places.items():
        try:
            remote = f"{path(host, one.name)}/{part}"
            await host.get(remote, place, sudo=host.entry.is_sudo)
        except (DelphicError, OSError) as error:
            failed.append(f"{part}: {_why(error)}")
    if failed:
        return f"{what} are still there: {'; '.join(failed)}", False
    await remove(host, one.name)
    return f"{what} have come home: {', '.join(map(str, places.values())) or 'none'}.", True


def _why(error: DelphicError | OSError) -> str:
    if isinstance(error, WorldError):  # Which host it is stands before the sentence.
        return f"{error.message} {error.detail}".strip()
    return str(error)


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"


def _age(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
