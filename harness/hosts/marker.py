"""The file without which a host is left alone: its owner says that it may be broken."""

from ..errors import WorldError
from .connection import Host

NAME = "delphic-may-break-this-host"

_LOOK = 'for file in "$@"; do [ -e "$file" ] && exit 0; done; exit 1'


def places(directory: str) -> tuple[str, str]:
    """Where the file may be: for the whole host, or in Delphic's own folder there."""
    return f"/etc/{NAME}", f"{directory}/.{NAME}"


async def refusal(host: Host) -> str | None:
    """Why the host may not be broken; None if it may."""
    both = places(host.entry.directory)
    if (await host.run("sh", "-c", _LOOK, "sh", *both, again=True)).code == 0:
        return None
    return (
        "this host has not been given up to be broken; if everything on it may be lost, "
        f"make the file {both[0]} there, or {both[1]}"
    )


async def demand(host: Host) -> None:
    """Raises WorldError unless the host may be broken."""
    if (reason := await refusal(host)) is not None:
        raise WorldError(reason, node=host.name)
