"""What the page asks the server for, as JSON; and the page itself."""

import threading
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..errors import UsageError
from .atlas import Atlas, NoSuchState
from .hunt import Hunt
from .search import QUERY_MAX, search
from .view import here

if TYPE_CHECKING:
    from .run import RunPaths

Endpoint = Callable[[Request], Response]


class Mistake(msgspec.Struct, frozen=True):
    """The mutant that the model is."""

    name: str
    mistake: str
    source: str
    breaks: str


class About(msgspec.Struct, frozen=True):
    """What is explored: chosen at the start, and shown on every page."""

    model: str
    title: str
    command: str
    network: str
    bounds: tuple[tuple[str, str], ...]
    actors: tuple[str, ...]
    mutant: Mistake | None
    run: str | None


class Api:
    """The answers. The atlas is one for all who ask, and is touched by one at a time."""

    def __init__(
        self,
        about: About,
        atlas: Atlas,
        hunt: Hunt,
        lock: threading.Lock,
        run: "RunPaths | None" = None,
    ) -> None:
        self._about = about
        self._atlas = atlas
        self._hunt = hunt
        self._lock = lock
        self._run = run

    def routes(self) -> list[BaseRoute]:
        """Everything but the assets."""
        return [
            Route("/api/model", _answering(self.about)),
            Route("/api/state/{address:path}", _answering(self.state)),
            Route("/api/search", _answering(self.search)),
            Route("/api/hunt", _answering(self.hunt), methods=["GET", "POST", "DELETE"]),
            Route("/api/run", _answering(self.run)),
            Route("/api/run/{path:int}/steps", _answering(self.run_steps)),
            Route("/api/run/{path:int}/{step:int}", _answering(self.run_step)),
            Route("/api/{rest:path}", _answering(_nothing)),
            Route("/", _page),
            Route("/state/{address:path}", _page),
            Route("/run/{rest:path}", _page),
        ]

    def about(self, request: Request) -> Any:
        return self._about

    def state(self, request: Request) -> Any:
        """One state; what is asked for becomes one that was visited."""
        with self._lock:
            return here(self._atlas, self._atlas.open(request.path_params["address"]))

    def search(self, request: Request) -> Any:
        """Visited states, or steps of the run, whose words match."""
        query = _query(request)
        with self._lock:
            return search(self._atlas, query)

    def hunt(self, request: Request) -> Any:
        """The search for a counterexample: POST begins it, DELETE gives it up."""
        if request.method == "POST":
            return self._hunt.begin()
        return self._hunt.give_up() if request.method == "DELETE" else self._hunt.told()

    def run(self, request: Request) -> Any:
        """The paths that the run's traces make."""
        return self._paths().about()

    def run_steps(self, request: Request) -> Any:
        """Some steps of a path in a line each: from one on, or those whose words match."""
        path = self._paths().path(request.path_params["path"])
        return path.lines(_number(request.query_params.get("from", "0")), _query(request))

    def run_step(self, request: Request) -> Any:
        """The model's state after one step of a path."""
        path = self._paths().path(request.path_params["path"])
        return path.step(request.path_params["step"])

    def _paths(self) -> "RunPaths":
        if self._run is None:
            raise NoSuchState("No run was given at the start: delphic explore --ui --run RUN.")
        return self._run


def _nothing(request: Request) -> Any:
    raise NoSuchState("There is nothing at this address.")


def _query(request: Request) -> str:
    query = request.query_params.get("q", "")
    if len(query) > QUERY_MAX:
        raise UsageError(f"A search has at most {QUERY_MAX} characters.")
    return query


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise UsageError("'from' is a number.")
    return int(text)


def _answering(answer: Callable[[Request], Any]) -> Endpoint:
    """As JSON; a mistake in what was asked is a sentence."""

    def endpoint(request: Request) -> Response:
        status = 200
        try:
            found = answer(request)
        except NoSuchState as error:
            status, found = 404, {"error": str(error)}
        except UsageError as error:
            status, found = 400, {"error": str(error)}
        return Response(msgspec.json.encode(found), status, media_type="application/json")

    return endpoint


def _page(request: Request) -> Response:
    assert __package__
    text = files(__package__).joinpath("page.html").read_bytes()
    return Response(text, media_type="text/html")
