"""Programs of the host that do what only the kernel can: nft, ss, ip."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .run import Refused

_TIMEOUT_S = 10.0

_HINT_S = 0.5

_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"


_held: list[int] = []
"""What these programs inherit, for as long as they run. One process serves one run."""

NOT_INSTALLED = "is not installed on the host"

FAILURES = (OSError, subprocess.SubprocessError)
"""What `run_now` raises."""


def said(error: BaseException) -> str:
    """What a failed program complained of."""
    return str(getattr(error, "stderr", None) or error).strip()


@contextlib.contextmanager
def holding(handle: int) -> Iterator[None]:
    """Let programs that are started meanwhile inherit it."""
    _held.append(handle)
    try:
        yield
    finally:
        _held.remove(handle)
        os.close(handle)


def widen_path() -> None:
    """Find the administrator's programs, too: a session over SSH may not."""
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SYSTEM}"


def missing(*programs: str) -> str | None:
    """What of these is not installed, in a sentence."""
    without = [program for program in programs if shutil.which(program) is None]
    return f"{', '.join(without)} {NOT_INSTALLED}" if without else None


def powers() -> int:
    """The powers of this process (capabilities(7)), a bit each."""
    for line in os.fsdecode(Path("/proc/self/status").read_bytes()).splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def may(power: int) -> bool:
    """Whether this process has such a power, by its number."""
    return bool(powers() >> power & 1)


def own(*words: str) -> tuple[str, ...]:
    """What starts the agent's own program once more."""
    return (sys.executable, str(Path(sys.argv[0]).resolve()), *words)


async def run(*words: str, text: str = "") -> str:
    """What it writes. Raises Refused with what it complains of."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=_held,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(text.encode()), _TIMEOUT_S)
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise Refused(f"{words[0]} did not end within {_TIMEOUT_S:g} s") from error
    if process.returncode:
        raise Refused(f"{' '.join(words)}: {(err or out).decode(errors='replace').strip()}")
    return out.decode(errors="replace")


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process of our own: by the end of its input, or else by force."""
    if process.stdin is not None:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _HINT_S)
    if process.returncode is None:
        process.kill()
    await process.wait()


def run_now(*words: str, text: str = "") -> str:
    """As `run`, while nothing else is to happen. Raises OSError or SubprocessError."""
    return subprocess.run(
        words,
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
        check=True,
        pass_fds=_held,
    ).stdout
