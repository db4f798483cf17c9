"""The agent's side of the shaper: its process, the table that sends packets there, its counts."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import tool
from .netlink import queue_rule
from .ruleset import MASK, Link, Pair, Shaping, queue_table
from .run import MARK, Refused, Run
from .shape import Shape

_READY_S = 10.0

_OPEN = Shape()


class Shaper:
    """The process that holds packets back. It is started when a link first needs it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._log = run.folder / "shaper.log"
        self._process: asyncio.subprocess.Process | None = None
        self._queue = 0
        self._numbers: dict[Pair, int] = {}
        self._watch: asyncio.Task[None] | None = None
        run.endings.append(self._end)

    @property
    def began(self) -> bool:
        """Whether it has been needed yet."""
        return self._process is not None

    async def shape(self, links: Iterable[Link]) -> Shaping:
        """Have these links shaped from now on, and no others. Raises Refused with the reason."""
        if self._process is None:
            await self._begin()
        shaped = {each.pair: each.shape for each in links if each.shape != _OPEN and not each.cut}
        for pair in shaped:
            self._numbers.setdefault(pair, len(self._numbers))
        await self._ask({"links": {self._numbers[p]: asdict(s) for p, s in shaped.items()}})
        return Shaping(self._queue, {pair: self._numbers[pair] for pair in shaped})

    async def counts(self) -> list[tuple[Pair, str, int]]:
        """Packets of each link by what became of them."""
        if self._process is None:
            return []
        counts = (await self._ask({"counts": True}))["counts"]
        return [
            (pair, what, count)
            for pair, number in self._numbers.items()
            for what, count in counts.get(str(number), {}).items()
        ]

    async def _begin(self) -> None:
        lacking = tool.missing("nft")
        if lacking:
            raise Refused(lacking)
        own = f"{MARK}_SHAPER={uuid.uuid4().hex}"
        self._run.log.add("marked", mark=own)
        with self._log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *_command(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, **dict([own.split("=", 1)])},
                start_new_session=True,
            )
        assert process.stdout is not None
        try:
            first = await asyncio.wait_for(process.stdout.readline(), _READY_S)
            if not first:
                raise Refused(f"the kernel gives us no queue of packets: {self._complaint()}")
            self._queue = json.loads(first)["queue"]
            await self._send_packets()
        except (TimeoutError, Refused):
            await tool.end(process)
            raise
        self._process = process
        self._watch = asyncio.create_task(self._ended(process))

    async def _end(self) -> None:
        """Let everything go; what does not end of its own is ended by the undo log."""
        if self._process is None:
            return
        assert self._watch is not None
        self._watch.cancel()
        await tool.end(self._process)

    async def _send_packets(self) -> None:
        table = f"{self._run.table}_queue"
        self._run.log.add("table", name=table)
        try:
            await tool.run("nft", "-f", "-", text=queue_table(table, self._queue, rule=True))
        except Refused as refused:
            # This kernel's nft cannot queue; the target of iptables may be there.
            await tool.run("nft", "-f", "-", text=queue_table(table, self._queue, rule=False))
            try:
                queue_rule(table, "input", self._queue << 16, MASK, self._queue)
            except OSError as error:
                raise Refused(
                    f"the kernel sends no packets to a queue: {refused}; {error.strerror}"
                ) from error

    async def _ask(self, request: Mapping[str, Any]) -> Any:
        """Under the lock of Links: one question at a time."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        answer = await process.stdout.readline()
        if not answer:
            raise Refused(f"the process that holds packets back has ended: {self._complaint()}")
        return json.loads(answer)

    def _complaint(self) -> str:
        return (self._log.read_text().splitlines() or ["it says nothing"])[-1]

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        """Packets pass when it is dead: the harness must know. The next shape begins anew."""
        code = await process.wait()
        self._process = None
        self._run.say({"event": "failed", "what": "shaper", "code": code})


def _command() -> tuple[str, ...]:
    return (sys.executable, str(Path(sys.argv[0]).resolve()), "shape")
