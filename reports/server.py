"""The small web server of everything that Delphic shows in a browser.

Who may ask: without a token only this machine, and only by a name of this machine, so that no
website can make a visitor's browser read what is served here (a name that is rebound to 127.0.0.1
keeps its own Host header). With a token anybody who has it: in `?token=`, which becomes a cookie at
once and leaves the address bar, or as a bearer. What changes something must come from a page of
our own.
"""

import hmac
import ipaddress
import re
import secrets
import signal
import socket
import webbrowser
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar
from urllib.parse import urlencode

import click
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..harness import data
from ..harness.errors import UsageError, WorldError

LOOPBACK = "127.0.0.1"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""What a page of ours may load and do: what comes from here, and no script within the page."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
"""What every answer says, unless it says otherwise itself."""

_TOKEN_CHARACTERS_MIN = 16
_GRACE_S = 3
_HOST = re.compile(r"([\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?", re.ASCII)
_UNCHANGING = ("GET", "HEAD", "OPTIONS")

Command = TypeVar("Command", bound=Callable[..., Any])


def application(routes: Sequence[BaseRoute], token: str | None) -> Starlette:
    """These routes and, at /assets/, what pages load; behind the token, if there is one."""
    assert __package__
    assets = StaticFiles(directory=Path(str(files(__package__).joinpath("assets"))))
    app = Starlette(
        routes=[Mount("/assets", assets), *routes],
        middleware=[Middleware(_Headers), Middleware(_Guard, token=token)],
    )
    app.state.token = token
    app.state.is_closing = False
    return app


def is_closing(request: Request) -> bool:
    """Whether the server is about to end: a stream that goes on for ever then ends itself."""
    return bool(request.app.state.is_closing)


def is_loopback(address: str) -> bool:
    """Whether an address or a name is this machine's own, by its form alone."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address.lower().rstrip(".") == "localhost"


def token_for(address: str, given: str | None) -> str | None:
    """The token to ask for: the one given or, beyond this machine, a new one. Raises UsageError."""
    if given is not None and (len(given) < _TOKEN_CHARACTERS_MIN or not given.isascii()):
        raise UsageError(f"--token: at least {_TOKEN_CHARACTERS_MIN} characters, all of them ASCII")
    if given is None and not is_loopback(address):
        return secrets.token_urlsafe(24)
    return given


def server_options(command: Command) -> Command:
    """The options of a command that serves pages: address, port, token, open_browser."""
    for option in (
        click.option(
            "--open/--no-open", "open_browser", default=False, help="Open it in a browser."
        ),
        click.option(
            "--token",
            envvar="DELPHIC_TOKEN",
            help="Who asks must know it; made anew for any address but this machine's own.",
        ),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=0,
            help="0, which it is by default, for any that is free.",
        ),
        click.option("--address", default=LOOPBACK, show_default=True, help="Where to listen."),
    ):
        command = option(command)
    return command


def serve(
    app: Starlette,
    address: str,
    port: int,
    *,
    open_browser: bool = False,
    as_json: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, after printing where, on one line, for people or programs.

    The app's token must suit the address (`token_for`). Raises WorldError where nobody can listen.
    """
    token = app.state.token
    assert token is not None or is_loopback(address)
    listener = _listener(address, port)
    place = url(address, listener.getsockname()[1], token)
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config, app)
    # Who knows the address may end it at once. And it raises again what ended it, when it has: that
    # is then no reason to end otherwise than well.
    before = {number: signal.signal(number, server.handle_exit) for number in _ENDS}
    try:
        if as_json:
            data.line({"url": place})
        else:
            click.echo(f"serving {place} (Ctrl-C ends it)")
        if open_browser:
            webbrowser.open(place)
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        listener.close()


_ENDS = (signal.SIGINT, signal.SIGTERM)


class _Server(uvicorn.Server):
    """Tells streams that would go on for ever that the end has come."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._state = app.state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._state.is_closing = True
        super().handle_exit(sig, frame)


def url(address: str, port: int, token: str | None) -> str:
    """Where a browser finds the server; one that listens everywhere by the machine's name."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        host = address
    else:
        host = f"[{address}]" if parsed.version == 6 else address
        host = socket.gethostname() if parsed.is_unspecified else host
    query = f"?{urlencode({'token': token})}" if token else ""
    return f"http://{host}:{port}/{query}"


def _listener(address: str, port: int) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except UnicodeError as error:
        raise UsageError(f"{address}: no host can be called so") from error
    except OSError as error:
        # Python adds in brackets what is said here anyway.
        why = (error.strerror or str(error)).partition(" (")[0]
        raise WorldError(f"cannot listen on {address}:{port}: {why}") from error


class _Headers:
    """Adds to every answer what it does not say itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class _Guard:
    """Lets in who may come in; all others learn only what would let them in."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token
        # Cookies know no ports: two servers of one host must not take each other's.
        name = "" if token is None else sha256(token.encode()).hexdigest()[:8]
        self._cookie = f"delphic-{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = self._refusal(request)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if self._token is None:
            if not is_loopback(_host(request)):
                return _said(421, "Asked for by a name that is not this machine's own; see --token")
        elif request.method == "GET" and self._is_it(request.query_params.get("token")):
            return self._welcome(request)
        elif not (self._is_it(request.cookies.get(self._cookie)) or self._is_it(_bearer(request))):
            return _said(401, "Open the address that was printed at the start: it has the token")
        return None if _is_from_here(request) else _said(403, "Asked for by another website")

    def _is_it(self, given: str | None) -> bool:
        assert self._token is not None
        return given is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def _welcome(self, request: Request) -> Response:
        """The same address without the token, which goes into a cookie."""
        assert self._token is not None
        rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
        # Not a URL with a host: a path that begins with // would be one.
        path = "/" + request.url.path.lstrip("/")
        answer = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, status_code=303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="lax")
        return answer


def _host(request: Request) -> str:
    """The name by which the server was asked for, without its port; empty if it is no name."""
    found = _HOST.fullmatch(request.headers.get("host", ""))
    return found[1] if found else ""


def _bearer(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value if scheme.lower() == "bearer" else None


def _is_from_here(request: Request) -> bool:
    """Whether what might change something was asked for by a page of ours, or by no page at all."""
    origin = request.headers.get("origin")
    if request.method in _UNCHANGING or origin is None:
        return True
    return origin.partition("://")[2] == request.headers.get("host")


def _said(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}.\n", status_code=status)
