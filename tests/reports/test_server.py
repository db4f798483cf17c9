"""The server lets in whom it should, leaves nothing out that protects, and ends when told."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest
from delphic.harness.errors import UsageError, WorldError
from delphic.reports import server
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

TOKEN = "0123456789abcdef-token"


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"hello {request.url.query}")


async def framed(request: Request) -> Response:
    return PlainTextResponse("own", headers={"content-security-policy": "sandbox"})


ROUTES = [
    Route("/", hello, methods=["GET", "POST"]),
    Route("/own", framed),
    Route("/a b/c", hello),
]


ENDLESS = """if True:
    import asyncio
    from delphic.reports import server
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    async def ticks(request):
        async def forever():
            while not server.is_closing(request):
                yield b"tick\\n"
                await asyncio.sleep(0.05)
            yield b"bye\\n"
        return StreamingResponse(forever())

    server.serve(server.application([Route("/", ticks)], None), "127.0.0.1", 0)
"""


IMPATIENT = """if True:
    import os, sys
    from delphic.reports import server

    server.click.echo = lambda text: os.kill(os.getpid(), int(sys.argv[1]))
    server.serve(server.application([], None), "127.0.0.1", 0)
"""


class Served:
    """A server in a process of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        found = re.fullmatch(r"serving (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)
        assert found is not None, line
        self.address = found[1]


@pytest.fixture
def free_server() -> Iterator[Served]:
    served = Served()
    yield served
    if served.process.poll() is None:
        served.process.kill()
    served.process.communicate()


def asked(token: str | None, host: str = "127.0.0.1") -> TestClient:
    return TestClient(
        server.application(ROUTES, token), base_url=f"http://{host}", follow_redirects=False
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "127.9.9.9", "localhost:123", "[::1]:5", "LOCALHOST."]
)
def test_without_a_token_this_machine_may_ask_by_its_own_names(host: str) -> None:
    answer = asked(None).get("/", headers={"host": host})
    assert (answer.status_code, answer.text) == (200, "hello ")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "10.0.0.1",
        "0.0.0.0",
        "evil.example@127.0.0.1:x",
        "",
        "[::1",
        "[]",
    ],
)
def test_a_name_that_is_not_this_machines_is_refused(host: str) -> None:
    client = asked(None)
    for path in ("/", "/assets/report.css", "/no"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert "hello" not in answer.text


def test_with_a_token_only_who_has_it_comes_in_by_any_name() -> None:
    client = asked(TOKEN, "box.example")
    for path in ("/", "/?token=", f"/?token={TOKEN}x", "/assets/report.css", "/?token=é"):
        assert client.get(path).status_code == 401
    for given in ("Basic abc", f"Bearer {TOKEN}x", f"Bearer{TOKEN}"):
        assert client.get("/", headers={"authorization": given}).status_code == 401
    assert client.get("/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_token_of_the_address_becomes_a_cookie_and_leaves_it() -> None:
    client = asked(TOKEN)
    answer = client.get(f"/a%20b/c?x=1&token={TOKEN}&y=%26")
    assert (answer.status_code, answer.headers["location"]) == (303, "/a%20b/c?x=1&y=%26")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/").status_code == 200
    assert asked(TOKEN[::-1]).get("/", headers={"cookie": cookie}).status_code == 401


@pytest.mark.parametrize("path", ["//evil.example/", "///evil.example", "/\\evil.example"])
def test_the_token_leads_to_no_other_website(path: str) -> None:
    location = asked(TOKEN).get(f"http://127.0.0.1{path}?token={TOKEN}").headers["location"]
    assert re.match(r"/[^/\\]", location)


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        (None, 200),
        ("http://127.0.0.1", 200),
        ("http://127.0.0.1:9", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_what_may_change_something_comes_from_here(origin: str | None, code: int) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert asked(None).post("/", headers=headers).status_code == code
    assert asked(None).get("/", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/assets/report.css", "/no", "/assets/../server.py"])
def test_every_answer_says_what_its_page_may_do(path: str) -> None:
    headers = asked(None).get(path).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_an_answer_may_be_stricter_itself() -> None:
    assert asked(None).get("/own").headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    "path",
    [
        "../server.py",
        "%2e%2e/server.py",
        "..%2fserver.py",
        "%2fetc/passwd",
        "..\\server.py",
        "....//server.py",
        "%252e%252e/server.py",
        "a%00",
        "",
    ],
)
def test_assets_are_all_that_lies_under_assets(path: str) -> None:
    async def status() -> int:
        """Sent as it is: clients tidy paths."""
        sent: list[dict[str, object]] = []
        raw = f"/assets/{path}"
        scope = {
            "type": "http",
            "method": "GET",
            "path": raw.replace("%2e", ".").replace("%2f", "/").replace("%00", "\0"),
            "raw_path": raw.encode(),
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1")],
        }

        async def receive() -> dict[str, object]:
            return {"type": "http.request"}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await server.application([], None)(scope, receive, send)  # type: ignore[arg-type]
        return int(str(sent[0]["status"]))

    assert asyncio.run(status()) == 404


def test_a_token_is_made_where_others_can_ask() -> None:
    assert server.token_for("127.0.0.1", None) is None
    assert server.token_for("localhost", TOKEN) == TOKEN
    made = {server.token_for(address, None) for address in ("0.0.0.0", "::", "box", "10.1.2.3")}
    assert len(made) == 4
    assert all(token is not None and len(token) >= 32 for token in made)
    for bad in ("short", "é" * 20):
        with pytest.raises(UsageError, match="16 characters"):
            server.token_for("127.0.0.1", bad)


def test_the_address_that_is_printed_can_be_opened() -> None:
    assert server.url("::1", 5, None) == "http://[::1]:5/"
    assert server.url("127.0.0.1", 5, "a+b") == "http://127.0.0.1:5/?token=a%2Bb"
    assert "0.0.0.0" not in server.url("0.0.0.0", 5, TOKEN)


def test_nobody_listens_where_another_does(free_server: Served) -> None:
    port = int(free_server.address.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(WorldError, match=r"Address already in use$"):
        server.serve(server.application([], None), "127.0.0.1", port)
    with pytest.raises(WorldError, match=r"cannot listen on no\.such.host.invalid"):
        server.serve(server.application([], TOKEN), "no.such.host.invalid", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well_and_every_stream_with_it(free_server: Served, number: int) -> None:
    with httpx2.stream("GET", free_server.address, trust_env=False) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "tick"
        free_server.process.send_signal(number)
        *_, last = lines
    assert last == "bye"
    said, _ = free_server.process.communicate(timeout=20)
    assert (free_server.process.returncode, said) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well_as_soon_as_its_address_is_known(number: int) -> None:
    words = [sys.executable, "-c", IMPATIENT, str(int(number))]
    ended = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
