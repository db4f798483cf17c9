"""Links to this host, made what the harness wants them to be, and receipts that they are so."""

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from . import tool
from .ruleset import Counts, Link, Pair, Shaping, counts, link, removal, renewal, ruleset
from .run import Refused, Run
from .shape import Shape
from .shaping import Shaper
from .undo import What

_LONGER_S = 1.0
"""The kernel outwaits the agent, which notices a lapsed lease itself."""


class Links:
    """The run's own nft table."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._links: tuple[Link, ...] = ()
        self._counted: Counts = {}
        self._noted = False
        self._turn = asyncio.Lock()
        """Of a request: they are carried out as they came, and the shaper is asked one by one."""
        self._busy = asyncio.Lock()
        """Of what writes to the table. A renewal waits for no request's other work."""
        self._renewed_s = 0.0
        """When the last renewal of the links that are set began."""
        self._shaper = Shaper(run)
        run.renewals.append(self._renew)

    def verbs(self) -> Mapping[str, Any]:
        return {"links": self.links, "counters": self.counters, "reset": self.reset}

    async def links(self, links: Sequence[Mapping[str, object]]) -> None:
        """Make the links so: the whole value, at once. What is not in it is open."""
        wanted = tuple(link(said) for said in links)
        if len({each.pair for each in wanted}) < len(wanted):
            raise Refused("a link is given twice")
        async with self._turn:
            if not wanted and not self._noted:
                return
            lacking = tool.missing("nft")
            if lacking:
                raise Refused(lacking)
            table = self._run.table
            self._note(table)
            shaping = await self._shaped(wanted)
            await self._count()
            text = ruleset(
                table, wanted, self._lasts_s, self._run.spare_port, self._counted, shaping
            )
            async with self._busy:
                await self._write(text if wanted else removal(table))
                self._links = wanted

    async def _renew(self) -> None:
        async with self._busy:
            if self._links:
                await self._write(renewal(self._run.table, self._links, self._lasts_s))

    async def _write(self, text: str) -> None:
        """Change the table, and say if the links that were set until now were open meanwhile."""
        began = time.monotonic()
        await tool.run("nft", "-f", "-", text=text)
        passed = time.monotonic() - self._renewed_s
        self._renewed_s = began
        if self._links and passed > self._lasts_s:
            why = f"for {passed:.1f} s nobody renewed the links, which last {self._lasts_s:g} s"
            self._run.say({"event": "failed", "what": "renewal", "why": why})

    async def counters(self) -> list[dict[str, object]]:
        """Packets of each link since the run began, by what became of them."""
        async with self._turn:
            await self._count()
            shaped = await self._shaper.counts()
        lost = [
            (pair, what, packets)
            for (pair, what), (packets, _) in sorted(self._counted.items())
            if packets
        ]
        return [
            {"source": source, "own": own, "what": what, "packets": packets}
            for (source, own), what, packets in (*lost, *shaped)
        ]

    async def reset(self, pairs: Sequence[Pair]) -> int:
        """Break the TCP connections between these addresses, at our end; how many there were.

        Those that orders come through are left alone.
        """
        lacking = tool.missing("ss")
        if lacking:
            raise Refused(lacking)
        port, closed = self._run.spare_port, 0
        spared = [] if port is None else ["sport", "!=", f":{port}", "dport", "!=", f":{port}"]
        for source, own in (link({"source": a, "own": b}).pair for a, b in pairs):
            here, there = (f"[{each}]" if ":" in each else each for each in (own, source))
            words = ("-K", "-tnH", "-o", "state", "established", "src", here, "dst", there, *spared)
            closed += len((await tool.run("ss", *words)).splitlines())
        return closed

    async def _shaped(self, wanted: Sequence[Link]) -> Shaping | None:
        """Have the shaper do its part, if there is one for it."""
        needed = [each for each in wanted if each.shape != Shape()]
        if not needed and not self._shaper.began:
            return None
        try:
            return await self._shaper.shape(wanted)
        except Refused:
            if all(each.shape == Shape(rate_bytes_s=each.shape.rate_bytes_s) for each in needed):
                return None  # Rates can be kept without.
            raise

    @property
    def _lasts_s(self) -> float:
        return self._run.lease_s + _LONGER_S

    async def _count(self) -> None:
        """Know what has been counted; if somebody took the table away, what was known before."""
        if not self._links:
            return
        words = ("-j", "list", "counters", "table", "inet", self._run.table)
        with contextlib.suppress(Refused):
            listed = json.loads(await tool.run("nft", *words))
            self._counted = {**self._counted, **counts(listed, self._links)}

    def _note(self, table: str) -> None:
        if not self._noted:
            self._run.log.add("table", name=table)
            self._noted = True


def _remove_table(what: What) -> None:
    tool.run_now("nft", "-f", "-", text=removal(str(what["name"])))


UNDO = {"table": _remove_table}
