"""Permissions of members' files on hosts: taken away from all that is there, and given back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

_POWERS_OFF = " ".join(
    f"--{kind}=-dac_override,-dac_read_search"
    for kind in ("bounding-set", "inh-caps", "ambient-caps")
)

POWERLESS = (
    *("sh", "-c"),
    f'setpriv {_POWERS_OFF} true 2> /dev/null && exec setpriv {_POWERS_OFF} "$@"; exec "$@"',
    "sh",
)
"""Permissions mean nothing to root, nor to who has its powers (as everybody on hosts of a
laboratory without root), unless it lays down those to pass over them; who has none cannot."""

# Folders come first: nothing new appears in them while their files are changed.
_CHANGE = """
change=$1
shift
for folder; do [ -d "$folder" ] && find "$folder" -type d -exec chmod -- "$change" {} +; done
for folder; do [ -d "$folder" ] && find "$folder" -type f -exec chmod -- "$change" {} +; done
exit 0
"""

_LOOK = """
there=
for folder; do
    [ -d "$folder" ] || continue
    there=yes
    [ -z "$(find "$folder" -perm /222 -print | head -n 1)" ] || { echo open; exit 0; }
done
[ -z "$there" ] && echo nothing || echo locked
"""


_POWERS = """
[ ! -e "/proc/$1" ] || grep ^CapEff: "/proc/$1/status" || [ ! -e "/proc/$1" ]
"""

_PASSES_OVER = 1 << 1
"""CAP_DAC_OVERRIDE, in capabilities(7)."""


class Said(Protocol):
    """What a command wrote."""

    @property
    def text(self) -> str: ...


class Shell(Protocol):
    """The part of a host that is needed."""

    async def must(self, *words: str, again: bool = False) -> Said: ...


async def lock(shell: Shell, folders: Sequence[Path]) -> None:
    """Take the permission to write away from these folders and all that is in them."""
    await _run(shell, _CHANGE, "a-w", *map(str, folders))


async def unlock(shell: Shell, folders: Sequence[Path]) -> None:
    """Give it back to their owner."""
    await _run(shell, _CHANGE, "u+w", *map(str, folders))


async def is_locked(shell: Shell, folders: Sequence[Path]) -> bool:
    """Whether there is something in them, and nothing of it may be written."""
    return await _run(shell, _LOOK, *map(str, folders)) == "locked"


async def heeds(shell: Shell, pid: int) -> bool:
    """Whether permissions mean something to this process; nobody passes over them if it is gone."""
    _, _, powers = (await _run(shell, _POWERS, str(pid))).partition(":")
    return not int(powers.strip() or "0", 16) & _PASSES_OVER


async def _run(shell: Shell, script: str, *words: str) -> str:
    ran = await shell.must("sh", "-c", script, "sh", *words, again=True)
    return ran.text
