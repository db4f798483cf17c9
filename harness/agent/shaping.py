"""The agent's side of the shaper: its process, the table that sends packets there, its counts."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from . import tool
from .beside import Beside
from .netlink import queue_rule
from .ruleset import MASK, Link, Pair, Shaping, queue_table
from .run import Refused, Run
from .shape import Shape

_OPEN = Shape()

_ANSWERS_S = 10.0


class Shaper:
    """The process that holds packets back. It is started when a link first needs it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._process: Beside | None = None
        self._queue = 0
        self._numbers: dict[Pair, int] = {}
        run.endings.append(self._end)

    @property
    def began(self) -> bool:
        """Whether it has been needed yet. Packets pass when it is dead, and the harness knows."""
        return self._process is not None and not self._process.has_ended

    async def shape(self, links: Iterable[Link]) -> Shaping:
        """Have these links shaped from now on, and no others. Raises Refused with the reason."""
        if not self.began:
            await self._begin()
        shaped = {each.pair: each.shape for each in links if each.shape != _OPEN and not each.cut}
        for pair in shaped:
            self._numbers.setdefault(pair, len(self._numbers))
        await self._ask({"links": {self._numbers[p]: asdict(s) for p, s in shaped.items()}})
        return Shaping(self._queue, {pair: self._numbers[pair] for pair in shaped})

    async def counts(self) -> list[tuple[Pair, str, int]]:
        """Packets of each link by what became of them."""
        if not self.began:
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
        try:
            process = await Beside.begin(
                self._run, "shaper", "shape", log=self._run.folder / "shaper.log"
            )
        except Refused as refused:
            raise Refused(f"the kernel gives us no queue of packets: {refused}") from refused
        self._queue = process.ready["queue"]
        try:
            await self._send_packets()
        except Refused:
            await process.end()
            raise
        self._process = process

    async def _end(self) -> None:
        """Let everything go; what does not end of its own is ended by the undo log."""
        if self._process is not None:
            await self._process.end()

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
        """One question at a time: Links sees to it."""
        assert self._process is not None
        stdin = self._process.process.stdin
        assert stdin is not None
        stdin.write(json.dumps(request).encode() + b"\n")
        try:
            return await asyncio.wait_for(self._process.answer(), _ANSWERS_S)
        except TimeoutError as error:
            # An answer that comes late would be taken for that to the next question.
            self._process.process.kill()
            await self._process.process.wait()
            raise Refused(
                f"the process that holds packets back has not answered within {_ANSWERS_S:g} s"
            ) from error
        except Refused as refused:
            raise Refused(f"the process that holds packets back has ended: {refused}") from refused
