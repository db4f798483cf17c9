"""The routes: every address, and what is done for it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ...harness.errors import UsageError
from ..beneath import Outside
from ..index.facts import Facts, facts
from ..index.index import Index
from ..index.listing import listed
from ..server import application, is_closing
from ..suite import page as suite
from ..suite.gather import gather
from . import browse, compare, download, run
from .frame import sorry
from .live import Watch

T = TypeVar("T")

FRESH_S = 2.0
"""For so long the index is taken for up to date."""

TICK_S = 1.0
REPORT_S = 15.0
"""After its verdict a run's report is waited for so long."""

JSON_ROWS = 1_000

REST = 20
"""Of the time in which a list is looked through, so many times it is left alone."""


class Runs:
    """The runs of one directory, for those who ask over HTTP: an answer for every address."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._fresh_until = 0.0

    def routes(self) -> list[Route]:
        return [
            Route("/", self.listing),
            Route("/live", self.live_listing),
            Route("/runs.json", self.as_json),
            Route("/compare", self.compared),
            Route("/suite", self.suite),
            Route("/runs/{run}/", self.one),
            Route("/runs/{run}/report", self.report),
            Route("/runs/{run}/zip", self.zipped),
            Route("/runs/{run}/live", self.live),
            Route("/runs/{run}/files/{path:path}", self.file),
        ]

    async def listing(self, request: Request) -> Response:
        asked = browse.query(request.query_params)
        return await run_in_threadpool(lambda: browse.render(self._fresh(), asked))

    async def live_listing(self, request: Request) -> Response:
        asked = browse.query(request.query_params)
        return _stream(_listed(request, lambda: browse.parts(self._fresh(), asked).text))

    async def as_json(self, request: Request) -> Response:
        asked = browse.query(request.query_params)
        first = (asked.number - 1) * JSON_ROWS
        rows = await run_in_threadpool(
            lambda: listed(self._fresh(), asked.wanted, asked.order, first, JSON_ROWS)
        )
        return JSONResponse([dict(row) for row in rows])

    async def one(self, request: Request) -> Response:
        return await self._of_run(request, lambda found: run.render(self._index, found))

    async def report(self, request: Request) -> Response:
        return await self._of_run(
            request, lambda found: download.report(self._index.root, f"{found.name}/report.html")
        )

    async def file(self, request: Request) -> Response:
        path = request.path_params["path"]
        return await self._of_run(
            request, lambda found: download.file(self._index.root, f"{found.name}/{path}")
        )

    async def zipped(self, request: Request) -> Response:
        return await self._of_run(
            request, lambda found: download.zipped(self._index.root, found.name)
        )

    async def live(self, request: Request) -> Response:
        watch = await self._of_run(request, lambda found: Watch(self._index.root, found.name))
        return _stream(_watched(request, watch))

    async def compared(self, request: Request) -> Response:
        names = request.query_params.getlist("run")
        if len(names) != 2:
            return sorry(400, "Two runs", "Tick two runs in the list: then they can be compared.")

        def render() -> HTMLResponse:
            one, other = (self._found(name).name for name in names)
            try:
                return compare.render(self._index.root, one, other)
            except (compare.Unfit, UsageError) as error:
                return sorry(409, "They cannot be compared", str(error))

        return await run_in_threadpool(render)

    async def suite(self, request: Request) -> Response:
        text = await run_in_threadpool(
            lambda: suite.render(gather(self._fresh()), "/runs/{run}/report")
        )
        return HTMLResponse(text, headers={"content-security-policy": download.ALONE})

    def _fresh(self) -> Index:
        """The index, up to date but for the last moment."""
        if time.monotonic() > self._fresh_until:
            self._index.refresh()
            self._fresh_until = time.monotonic() + FRESH_S
        return self._index

    def _found(self, name: str) -> Facts:
        """A run by its name. Raises HTTPException where there is none."""
        if not self._is_known(name):
            self._fresh_until = 0.0  # It may have begun a moment ago.
            if not self._is_known(name):
                raise HTTPException(404, "There is no such run.")
        return facts(self._index.root, name)

    def _is_known(self, name: str) -> bool:
        return bool(self._fresh().rows("SELECT 1 FROM run WHERE name = ?", (name,)))

    async def _of_run(self, request: Request, answer: Callable[[Facts], T]) -> T:
        """What there is to say about the run that the address names."""

        def answered() -> T:
            try:
                return answer(self._found(request.path_params["run"]))
            except Outside as error:
                raise HTTPException(404, "The run has no such file.") from error

        return await run_in_threadpool(answered)


def app(index: Index, token: str | None) -> Starlette:
    """The application about the runs of an index."""
    made = application(Runs(index).routes(), token)
    made.add_exception_handler(HTTPException, _refused)
    return made


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = "Not there" if error.status_code == 404 else "That cannot be done"
    said = error.detail if error.detail != "Not Found" else "There is nothing at this address."
    return sorry(error.status_code, title, said)


def _stream(events: AsyncIterator[bytes]) -> Response:
    """What goes on is told as it happens."""
    headers = {"cache-control": "no-store"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _event(said: object) -> bytes:
    return f"data: {json.dumps(said)}\n\n".encode()


async def _listed(request: Request, render: Callable[[], str]) -> AsyncIterator[bytes]:
    """The list as it is, and again whenever it is another, as long as somebody looks."""
    last, due = None, 0.0
    while not is_closing(request):
        if (began := time.monotonic()) >= due:
            text = await run_in_threadpool(render)
            if text != last:
                yield _event({"html": text})
            last = text
            # Very many runs are not to keep a processor busy because somebody looks at them.
            due = time.monotonic() + REST * (time.monotonic() - began)
        await asyncio.sleep(TICK_S)


async def _watched(request: Request, watch: Watch) -> AsyncIterator[bytes]:
    """What the run does, about once a second, until it is over or nobody looks."""
    left = REPORT_S / TICK_S
    while not is_closing(request):
        seen: dict[str, Any] = await run_in_threadpool(watch.look)
        yield _event(seen)
        if seen["is_behind"]:
            continue
        is_judged = seen["state"] == "judged"
        left -= is_judged
        if seen["state"] in ("dead", "damaged") or (is_judged and (seen["has_report"] or left < 0)):
            yield b"event: over\ndata: {}\n\n"
            return
        await asyncio.sleep(TICK_S)
