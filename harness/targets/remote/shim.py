"""The library between members and their clocks and disks: compiled here, brought to hosts."""

import asyncio
import hashlib
import shutil
import subprocess
import uuid
from pathlib import Path

from ...errors import WorldError
from ...hosts.agent import Agent
from ...hosts.connection import Host
from .wheelhouse import cache_directory

_SOURCE = Path(__file__).with_name("shim.c")
_OPTIONS = ("-O2", "-Wall", "-Wextra", "-shared", "-fPIC")
_LIBRARIES = ("-ldl", "-lpthread")
_COMPILE_S = 60.0


def compiled(folder: Path | None = None) -> Path:
    """The library, made of its source if that has changed. Raises WorldError saying why not."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise WorldError("there is no C compiler on this machine: apt-get install gcc libc6-dev")
    source = _SOURCE.read_bytes()
    name = hashlib.sha256(source + " ".join(_OPTIONS).encode()).hexdigest()[:16]
    path = (folder or cache_directory() / "shims") / f"shim-{name}.so"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(f".{uuid.uuid4().hex}")
    words = [compiler, *_OPTIONS, "-o", str(made), str(_SOURCE), *_LIBRARIES]
    try:
        subprocess.run(words, capture_output=True, text=True, timeout=_COMPILE_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()[-1]
        raise WorldError(f"the shim cannot be compiled on this machine: {said}") from error
    made.replace(path)
    return path


async def brought(host: Host) -> str:
    """Where it is on the host. Raises WorldError."""
    library = await asyncio.to_thread(compiled)
    path = f"{host.entry.directory}/{library.name}"
    await host.put(library, path, 0o755)
    return path


async def hindrance(host: Host, agent: Agent) -> str | None:
    """Why it cannot be used there; None where it can."""
    if set(host.entry.directory) & set(" :\t\n"):
        return "the loader takes no shim out of a directory with spaces or colons in its name"
    try:
        path = await brought(host)
    except WorldError as error:
        return str(error)
    found: str | None = await agent.call("shim-try", library=path)
    return found
