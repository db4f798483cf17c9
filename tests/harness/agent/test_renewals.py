"""Cuts hold whatever else is asked for meanwhile, and one that was open for a while is told of."""

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from delphic.harness.agent import links, shaping, tool
from delphic.harness.agent.beside import Beside
from delphic.harness.agent.links import Links
from delphic.harness.agent.run import Refused, Run
from delphic.harness.agent.shaping import Shaper
from delphic.harness.agent.undo import UndoLog

CUT = {"source": "192.0.2.1", "own": "192.0.2.9", "cut": True}
LATE = {"source": "192.0.2.2", "own": "192.0.2.9", "delay_s": 0.1}

SOON_S = 10.0


class Kernel:
    """It takes every table; a shaper begins when it may, and then cannot."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        self.beginning = asyncio.Event()
        self.may_begin = asyncio.Event()
        monkeypatch.setattr(tool, "missing", lambda *_: None)
        monkeypatch.setattr(tool, "run", self._nft)
        monkeypatch.setattr(Shaper, "_begin", lambda _: self._begin())

    async def _nft(self, *_: str, text: str = "") -> str:
        if text:
            self.texts.append(text)
        return '{"nftables": []}'

    async def _begin(self) -> None:
        self.beginning.set()
        await self.may_begin.wait()
        raise Refused("there is no queue")


def run_in(folder: Path, lease_s: float, said: list[dict[str, object]]) -> Run:
    own = folder / "runs" / "mine"
    own.mkdir(parents=True)
    return Run(
        "mine", own, lease_s, "M=1", None, has_loops=False, log=UndoLog(own), say=said.append
    )


Test = Callable[[Links, Kernel, list[dict[str, object]]], Awaitable[None]]


@pytest.fixture
def on_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Test, float], None]:
    """Run a test on links of a run with such a lease."""

    def run(test: Test, lease_s: float) -> None:
        async def go() -> None:
            said: list[dict[str, object]] = []
            made = Links(run_in(tmp_path, lease_s, said))
            await asyncio.wait_for(test(made, Kernel(monkeypatch), said), SOON_S)

        asyncio.run(go())

    return run


def test_links_are_renewed_while_a_shaper_begins(on_links: Any) -> None:
    async def test(made: Links, kernel: Kernel, said: list[dict[str, object]]) -> None:
        await made.links([CUT])
        asked = asyncio.create_task(made.links([CUT, LATE]))
        await kernel.beginning.wait()
        before = len(kernel.texts)
        await asyncio.wait_for(made._renew(), SOON_S / 2)
        assert "add element inet" in kernel.texts[before]
        kernel.may_begin.set()
        with pytest.raises(Refused, match="there is no queue"):
            await asked
        assert said == []

    on_links(test, 60.0)


def test_the_value_that_was_asked_for_last_is_the_last(on_links: Any) -> None:
    async def test(made: Links, kernel: Kernel, _: list[dict[str, object]]) -> None:
        narrow = {**LATE, "delay_s": 0.0, "rate_bytes_s": 1e6}
        first = asyncio.create_task(made.links([narrow]))
        await kernel.beginning.wait()
        last = asyncio.create_task(made.links([CUT]))
        kernel.may_begin.set()
        await asyncio.gather(first, last)
        assert [CUT["source"] in text for text in kernel.texts] == [False, True]

    on_links(test, 60.0)


@pytest.mark.parametrize("how", ["renewed", "replaced", "removed"])
def test_links_that_were_open_for_a_while_are_told_of(
    on_links: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    clock = itertools.count(100.0, 2.0)  # Each of our looks at it, of which there are two a table.
    monkeypatch.setattr(links, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    async def test(made: Links, _: Kernel, said: list[dict[str, object]]) -> None:
        await made.links([CUT])
        await made._renew()
        assert said == []
        next(clock)
        await {
            "renewed": made._renew,
            "replaced": lambda: made.links([LATE | {"delay_s": 0.0}]),
            "removed": lambda: made.links([]),
        }[how]()
        ((event, what, why),) = [each.values() for each in said]
        assert (event, what) == ("failed", "renewal")
        assert why == "for 8.0 s nobody renewed the links, which last 7 s"

    on_links(test, 6.0)


def test_a_shaper_that_does_not_answer_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[dict[str, object]] = []
    run = run_in(tmp_path, 1.0, said)
    words = (sys.executable, "-c", "print('{}', flush=True); import sys; sys.stdin.read()")
    monkeypatch.setattr(tool, "own", lambda *_: words)
    monkeypatch.setattr(shaping, "_ANSWERS_S", 0.0)

    async def go() -> None:
        made = Shaper(run)
        made._process = process = await Beside.begin(run, "shaper", "shape", log=tmp_path / "log")
        with pytest.raises(Refused, match="has not answered within"):
            await made.counts()
        assert not made.began
        assert process._watch is not None
        await process._watch
        assert said == [{"event": "failed", "what": "shaper", "code": -9}]

    asyncio.run(go())
