"""A host that is this machine: commands are child processes, files are copied."""

import asyncio
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode().removesuffix("\n")


class HereShell:
    """A `Shell`. `asked` and `sent`: what was done through it, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[tuple[str, ...]] = []
        self.sent: list[str] = []

    async def run(
        self,
        *words: str,
        input: bytes = b"",
        timeout_s: float = 30.0,
        sudo: bool = False,
        again: bool = False,
    ) -> Ended:
        self.asked.append(words)
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate(input)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Ended(process.returncode, out, err)

    async def must(self, *words: str, again: bool = False) -> Ended:
        ran = await self.run(*words, again=again)
        assert ran.code == 0, ran.err
        return ran

    async def put(
        self, local: Path | bytes, remote: str, mode: int = 0o644, *, sudo: bool = False
    ) -> bool:
        _write(local, Path(remote))
        self.sent.append(Path(remote).name)
        return True


def _write(local: Path | bytes, remote: Path) -> None:
    remote.parent.mkdir(parents=True, exist_ok=True)
    remote.write_bytes(local if isinstance(local, bytes) else local.read_bytes())
