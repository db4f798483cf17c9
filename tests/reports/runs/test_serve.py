"""What is served: the list, a run, its files, two runs beside each other; nothing from outside."""

import asyncio
import io
import json
import os
import shutil
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from delphic.harness.history import encode
from delphic.harness.op import Op, OpType
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Validity
from delphic.reports.beneath import Outside, opened
from delphic.reports.index.index import Index
from delphic.reports.serve import app as served
from delphic.reports.serve.live import CHUNK, Watch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

SECRET = b"the secret of another directory"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    (tmp_path / "secret.txt").write_bytes(SECRET)
    return tmp_path / "runs"


def application(root: Path) -> Starlette:
    return served.app(Index(root), None)


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(application(root), base_url="http://127.0.0.1") as found:
        yield found


def test_the_list_is_filtered_sorted_and_turned_as_the_address_says(
    root: Path, fleet: Any, client: TestClient
) -> None:
    for run in fleet.drawn(130):
        fleet.write(root, run)
    whole = client.get("/").text
    assert "130 runs, page 1 of 3" in whole
    assert whole.count('name="run"') == 50
    assert "page 3 of 3" in client.get("/?page=3").text
    assert "page 3 of 3" in client.get("/?page=999999").text
    some = client.get("/?target=lab&q=bug-scenario-33").text
    assert "1 run<" in some
    assert 'value="lab" selected' in some
    assert 'aria-sort="ascending"' in client.get("/?sort=seed").text
    assert "No run is like that." in client.get("/?q=nothing+like+it").text
    for odd in (
        "sort=nonsense",
        "page=-1",
        "page=²",
        "page=" + "9" * 99,
        "verdict='--",
        "q=%00%FF",
    ):
        assert client.get(f"/?{odd}").status_code == 200
    names = [row["name"] for row in client.get("/runs.json?sort=started").json()]
    assert len(names) == 130
    assert names == sorted(names)
    assert client.get("/runs.json?page=2").json() == []
    rows = client.get("/runs.json?verdict=fail").json()
    assert rows
    assert {row["kind"] for row in rows} == {"fail"}


def test_a_seed_that_no_database_can_hold_is_a_seed(
    root: Path, fleet: Any, client: TestClient
) -> None:
    path = fleet.write(root, fleet.Run("huge", 2**70))
    assert client.get("/").status_code == 200
    answer = client.get(f"/runs/{path.name}/")
    assert answer.status_code == 200
    assert f"seed {2**70}" in answer.text


def test_new_runs_are_there_without_a_restart(
    root: Path, fleet: Any, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "FRESH_S", 0.0)
    assert "holds no runs yet" in client.get("/").text
    path = fleet.write(root, fleet.Run("fresh", 1))
    assert "fresh" in client.get("/").text
    assert client.get(f"/runs/{path.name}/").status_code == 200


def test_a_run_that_began_a_moment_ago_is_found(root: Path, fleet: Any, client: TestClient) -> None:
    assert client.get("/").status_code == 200
    name = fleet.write(root, fleet.Run("fresh", 1)).name
    assert client.get(f"/runs/{name}/").status_code == 200


def test_who_looks_at_the_list_is_told_when_it_is_another(
    root: Path, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "FRESH_S", 0.0)
    monkeypatch.setattr(served, "TICK_S", 0.01)
    made, runs = application(root), served.Runs(Index(root))

    async def told(query: str) -> AsyncIterator[str]:
        scope = {"type": "http", "app": made, "headers": [], "query_string": query.encode()}
        answer = await runs.live_listing(Request(scope))
        assert isinstance(answer, StreamingResponse)
        assert answer.media_type == "text/event-stream"
        async for event in answer.body_iterator:
            yield json.loads(bytes(event).removeprefix(b"data: "))["html"]

    async def look() -> None:
        everything, some = told(""), told("target=nowhere")
        assert "holds no runs yet" in await anext(everything)
        path = RunDir(fleet.write(root, fleet.Run("fresh", 1)))
        verdict = path.verdict.read_bytes()
        assert "1 run<" in (seen := await anext(everything))
        assert f'data-run="{path.path.name}"' in seen
        path.verdict.unlink()
        assert "Running" in await anext(everything)
        path.verdict.write_bytes(verdict)
        assert "Running" not in await anext(everything)
        assert "No run is like that." in await anext(some)
        shutil.rmtree(path.path)
        assert "holds no runs yet" in await anext(everything)
        made.state.is_closing = True
        assert [html async for html in everything] == []
        assert [html async for html in some] == []

    asyncio.run(look())


def test_a_run_shows_what_it_left(root: Path, fleet: Any, client: TestClient) -> None:
    path = RunDir(fleet.write(root, fleet.Run("a", 1, validity=Validity.FAIL)))
    path.report.write_text("<script>1</script>")
    (path.path / "core.bin").write_bytes(b"\0\1")
    before = fleet.write(root, fleet.Run("a", 1, started=fleet.BEGAN - timedelta(hours=1)))
    page = client.get(f"/runs/{path.path.name}/").text
    assert "log-durability" in page
    assert before.name in page
    plan = client.get(f"/runs/{path.path.name}/files/plan.json")
    assert plan.content == path.plan.read_bytes()
    assert plan.headers["content-type"].startswith("text/plain")
    assert plan.headers["content-security-policy"].startswith("sandbox;")
    core = client.get(f"/runs/{path.path.name}/files/core.bin")
    assert core.headers["content-disposition"] == "attachment; filename*=UTF-8''core.bin"
    # As a file it is text; only the report itself is a page, of no origin.
    as_file = client.get(f"/runs/{path.path.name}/files/report.html").headers
    assert as_file["content-type"] == "application/octet-stream"
    report = client.get(f"/runs/{path.path.name}/report")
    assert report.headers["content-type"].startswith("text/html")
    policy = report.headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("path", ["/no", "/runs/no/", "/runs/no/zip", "/runs/no/live", "/runs//"])
def test_what_is_not_there_is_said_on_a_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "<h1>Not there</h1>" in answer.text


def test_a_file_whose_name_is_no_text_is_listed_and_served(
    root: Path, fleet: Any, client: TestClient
) -> None:
    run = fleet.write(root, fleet.Run("odd", 1))
    (run / os.fsdecode(b"odd\xff.txt")).write_text("here")
    shown = client.get(f"/runs/{run.name}/")
    assert shown.status_code == 200
    assert "odd%FF.txt" in shown.text


def test_all_files_come_as_a_zip(root: Path, fleet: Any, client: TestClient) -> None:
    path = fleet.write(root, fleet.Run("zip ü", 1))
    (path / "nodes" / "n1").mkdir(parents=True)
    (path / "nodes" / "n1" / "log.txt").write_bytes(os.urandom(300_000))
    (path / "..\\..\\up.txt").write_text("up")
    (path / "nodes" / "away").symlink_to(root.parent)
    (path / "secret.txt").symlink_to(root.parent / "secret.txt")
    os.mkfifo(path / "pipe")
    Path(os.fsdecode(os.fsencode(path) + b"/\xff.txt")).write_text("odd name")
    answer = client.get(f"/runs/{quote(path.name)}/zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = [name.removeprefix(f"{path.name}/") for name in archive.namelist()]
    expected = ["?.txt", ".._.._up.txt", "environment.json", "journal.jsonl", "nodes/n1/log.txt"]
    assert sorted(names) == sorted([*expected, "plan.json", "scenario.yaml", "verdict.json"])
    log = archive.read(f"{path.name}/nodes/n1/log.txt")
    assert log == (path / "nodes" / "n1" / "log.txt").read_bytes()
    assert all(SECRET not in archive.read(name) for name in archive.namelist())


WAYS_OUT = st.sampled_from(
    [
        ["secret.txt"],
        ["nodes", "up", "secret.txt"],
        ["out", "passwd"],
        ["..", "..", "secret.txt"],
        ["nodes", "..", "..", "..", "secret.txt"],
        ["nodes", "n1", "..", "..", "..", "..", "secret.txt"],
        ["..", "up", "secret.txt"],
        ["", "etc", "passwd"],
        ["..", *[".."] * 12, "etc", "passwd"],
    ]
)
SPELLINGS = st.sampled_from([str, lambda piece: "".join(f"%{ord(c):02x}" for c in piece)])
BETWEEN = st.sampled_from(["/", "%2f", "%2F", "//", "/./", "/%2e/", "\\", "%5c", "%252f", "/%00/"])


@st.composite
def ways_out(draw: st.DrawFn) -> str:
    """A path to something outside, spelled in one of many ways."""
    pieces = [draw(SPELLINGS)(piece) for piece in draw(WAYS_OUT)]
    # Mostly with plain separators, for those are what leads somewhere.
    between = ["/" if draw(st.integers(0, 3)) else draw(BETWEEN) for _ in pieces[1:]]
    return "".join(part for pair in zip(["", *between], pieces, strict=True) for part in pair)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(way=ways_out(), kind=st.sampled_from(["files/", "files/", "", "report/", "zip/"]))
def test_no_path_leads_out_of_a_run(outside: Any, way: str, kind: str) -> None:
    app, run = outside
    status, body = asyncio.run(_asked(app, f"/runs/{run}/{kind}{way}"))
    assert SECRET not in body
    assert b"root:" not in body
    assert status in (307, 404)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    way=st.sampled_from(["up", "..", ".", "%2e%2e", "up/runs", "..%2f..", "up%2f.", "%2fetc", ""]),
    end=st.sampled_from(["/", "/files/secret.txt", "/report", "/zip", "/files/passwd", "/live"]),
)
def test_nothing_outside_is_a_run(outside: Any, way: str, end: str) -> None:
    app, _ = outside
    status, body = asyncio.run(_asked(app, f"/runs/{way}{end}"))
    assert SECRET not in body
    assert status in (307, 404)


def test_the_ways_out_would_lead_out(outside: Any) -> None:
    """Or the tests above would look where nothing is."""
    app, run = outside
    root = app.state.root
    assert (root / run / "nodes" / "up" / "secret.txt").read_bytes() == SECRET
    assert (root / run / ".." / ".." / "secret.txt").read_bytes() == SECRET
    assert (root / "up" / "secret.txt").read_bytes() == SECRET
    status, body = asyncio.run(_asked(app, f"/runs/{run}/files/nodes/n1/log.txt"))
    assert (status, body) == (200, b"log")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory, fleet: Any) -> Any:
    """The app over a run with every kind of way out, and the run's name."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret.txt").write_bytes(SECRET)
    path = fleet.write(folder / "runs", fleet.Run("led", 1))
    (path / "nodes" / "n1").mkdir(parents=True)
    (path / "nodes" / "n1" / "log.txt").write_text("log")
    (path / "nodes" / "up").symlink_to(folder)
    (path / "out").symlink_to("/etc")
    (path / "secret.txt").symlink_to(folder / "secret.txt")
    (path / "report.html").symlink_to(folder / "secret.txt")
    (folder / "runs" / "up").symlink_to(folder)
    index = Index(folder / "runs", folder / "index.sqlite3")
    app = served.app(index, None)
    app.state.root = index.root
    return app, path.name


async def _asked(app: Starlette, raw: str) -> tuple[int, bytes]:
    """Ask for a path as it is spelled: clients tidy paths before they send them."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote_to_bytes(raw).decode(errors="replace"),
        "raw_path": raw.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_files_are_opened_step_by_step(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "c").write_text("c")
    (root / "a" / "link").symlink_to("b")
    os.mkfifo(root / "a" / "pipe")
    with opened(root, "a/b/c") as stream:
        assert stream.read() == b"c"
    for name in ("a/link/c", "a/b", "a/pipe", "/etc/passwd", "a//b/c", "a/../a/b/c", "a/b/c/d"):
        with pytest.raises(Outside):
            opened(root, name)
    with pytest.raises(Outside):
        opened(root, "a\0")
    with pytest.raises(Outside):
        opened(root / "none", "a")


def test_two_runs_stand_side_by_side(
    build: Callable[..., Any], root: Path, client: TestClient
) -> None:
    build(root / "20260101T000000Z-one-1", ops=200)
    build(root / "20260101T000001Z-two-2", ops=200, validity=Validity.FAIL, seed=9)
    names = ("20260101T000000Z-one-1", "20260101T000001Z-two-2")
    page = client.get("/compare?" + "&".join(f"run={name}" for name in names)).text
    assert "1 point in which they differ" in page
    # A row is lost: that breaks the order of all, and the promise about acknowledged rows.
    assert page.count("differs</small>") == 2
    assert "F1" in page
    assert "operations ok" in page
    same = client.get(f"/compare?run={names[0]}&run={names[0]}").text
    assert "Both were planned alike" in same
    assert "differs</small>" not in same
    for few in ("", f"?run={names[0]}", f"?run={names[0]}&run=a&run=b"):
        assert client.get(f"/compare{few}").status_code == 400
    assert client.get(f"/compare?run={names[0]}&run=no").status_code == 404


def test_what_differs_between_two_plans_looks_different(
    fleet: Any, root: Path, client: TestClient
) -> None:
    def planned(seed: int, drift: float, by_s: float) -> str:
        faults = [{"kind": "clock", "drift": drift, "by_s": by_s}]
        return fleet.write(root, fleet.Run("one", seed, planned={"faults": faults})).name

    names = planned(1, 1.0001, 0.0001), planned(2, 1.0004, 0.0004)
    page = client.get(f"/compare?run={names[0]}&run={names[1]}").text
    assert all(f">{told}</" in page for told in ("1.0001", "1.0004", "0.0001", "0.0004"))


def test_a_run_that_leads_elsewhere_is_not_compared(
    build: Callable[..., Any], root: Path, tmp_path: Path, client: TestClient
) -> None:
    build(root / "20260101T000000Z-one-1", ops=200)
    log = RunDir(root / "20260101T000000Z-one-1").node_log("n1")
    log.unlink()
    log.symlink_to(tmp_path / "secret.txt")
    answer = client.get("/compare?run=20260101T000000Z-one-1&run=20260101T000000Z-one-1")
    assert answer.status_code == 409
    assert "no ordinary file" in answer.text
    assert SECRET.decode() not in answer.text


def ops(*said: tuple[float, Any, OpType, str, dict[str, Any]]) -> list[Op]:
    return [
        Op(number, int(at * 1e9), process, type_, f, **rest)
        for number, (at, process, type_, f, rest) in enumerate(said)
    ]


OK, INVOKE, INFO = OpType.OK, OpType.INVOKE, OpType.INFO
STORY = ops(
    (0.1, "observer", INFO, "role", {"node": "n1", "value": {"role": "leader", "term": 1}}),
    (1.0, 0, INVOKE, "append", {}),
    (1.02, 0, OK, "append", {}),
    (2.0, "nemesis", INVOKE, "kill", {"value": {"kind": "kill", "target": "leader"}}),
    (2.1, "nemesis", INFO, "kill", {"value": {"nodes": ["n1"], "bit": True}}),
    (3.0, 1, INVOKE, "read", {}),
    (4.0, "observer", INFO, "role", {"node": "n2", "value": {"role": "leader", "term": 2}}),
)


def test_a_growing_run_is_seen_as_it_grows(root: Path, fleet: Any) -> None:
    path = RunDir(fleet.write(root, fleet.Run("grows", 1)))
    verdict = path.verdict.read_bytes()
    path.verdict.unlink()
    watch = Watch(root, path.path.name)
    assert (watch.look()["elapsed_s"], watch.look()["state"]) == (0, "running")
    with path.history.open("wb", buffering=0) as history:
        history.write(b"".join(map(encode, STORY[:3])) + encode(STORY[3])[:20])
        seen = watch.look()
        assert seen["functions"] == {"append": {"ok": 1}}
        assert (seen["latency_ms"]["p50"], seen["faults"], seen["open"]) == (20.0, [], 0)
        assert seen["members"][0]["role"] == "leader"
        history.write(encode(STORY[3])[20:] + b"".join(map(encode, STORY[4:])))
        seen = watch.look()
        assert (seen["faults"], seen["open"], seen["elapsed_s"]) == (["F1 kill n1"], 1, 4.0)
        roles = {member["name"]: member["role"] for member in seen["members"]}
        assert roles == {"n1": "led before", "n2": "leader", "n3": ""}
        assert seen["series"] == [[0, 0], [1, 1], [2, 0], [3, 0]]
        history.write(b"{garbage\n\xff\n")
        assert watch.look()["unread"] == 2
    path.verdict.write_bytes(verdict)
    assert watch.look()["state"] == "judged"


def test_a_long_history_is_read_in_parts(root: Path, fleet: Any) -> None:
    path = RunDir(fleet.write(root, fleet.Run("long", 1)))
    line = encode(Op(0, 1, 0, OpType.OK, "append", value="x" * 1000))
    count = CHUNK // len(line) + 10
    path.history.write_bytes(line * count)
    watch = Watch(root, path.path.name)
    assert watch.look()["is_behind"]
    seen = watch.look()
    assert not seen["is_behind"]
    assert seen["functions"] == {"append": {"ok": count}}


def test_a_history_that_begins_again_is_read_again(root: Path, fleet: Any) -> None:
    path = RunDir(fleet.write(root, fleet.Run("again", 1)))
    path.history.write_bytes(b"".join(map(encode, STORY)))
    watch = Watch(root, path.path.name)
    watch.look()
    path.history.write_bytes(b"".join(map(encode, STORY[:3])))
    assert watch.look()["functions"] == {"append": {"ok": 2}}


def test_who_watches_is_told_until_it_is_over(
    root: Path, fleet: Any, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "TICK_S", 0.02)
    path = RunDir(fleet.write(root, fleet.Run("live", 1)))
    verdict = path.verdict.read_bytes()
    path.verdict.unlink()
    path.history.write_bytes(b"")

    def go_on() -> None:
        for op in STORY:
            with path.history.open("ab") as history:
                history.write(encode(op))
            time.sleep(0.03)
        path.verdict.write_bytes(verdict)
        time.sleep(0.1)
        path.report.write_text("<p>report")

    writer = threading.Thread(target=go_on)
    writer.start()
    answer = client.get(f"/runs/{path.path.name}/live")
    writer.join()
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, last = answer.text.strip().split("\n\n")
    seen = [json.loads(event.removeprefix("data: ")) for event in events]
    assert last == "event: over\ndata: {}"
    times = [one["elapsed_s"] for one in seen]
    assert times == sorted(times)
    assert len(set(times)) > 3
    assert (seen[0]["state"], seen[-1]["state"], seen[-1]["has_report"]) == (
        "running",
        "judged",
        True,
    )


def test_a_dead_run_is_said_to_be_dead(root: Path, fleet: Any, client: TestClient) -> None:
    path = RunDir(fleet.write(root, fleet.Run("dead", 1)))
    path.verdict.unlink()
    path.environment.write_text("{}")
    then = time.time() - 60
    for file in path.path.iterdir():
        os.utime(file, (then, then))
    page = client.get(f"/runs/{path.path.name}/").text
    assert "Its harness is gone" in page
    events = client.get(f"/runs/{path.path.name}/live").text.strip().split("\n\n")
    assert json.loads(events[0].removeprefix("data: "))["state"] == "dead"
    assert events[-1].startswith("event: over")


def test_a_hostile_run_owns_nothing(
    build: Callable[..., Any], root: Path, hostile_text: str, client: TestClient
) -> None:
    name = "20260101T000000Z-'\"><img src=x>&#-1"
    build(root / name, ops=200, hostile=True)
    for path in ("/", f"/runs/{quote(name)}/", f"/compare?run={quote(name)}&run={quote(name)}"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "<img" not in answer.text
        assert "unsafe" not in answer.headers["content-security-policy"]
    zipped = client.get(f"/runs/{quote(name)}/zip")
    assert zipfile.ZipFile(io.BytesIO(zipped.content)).testzip() is None


def test_the_suite_report_is_served_with_links_to_the_runs(
    root: Path, fleet: Any, client: TestClient
) -> None:
    path = fleet.write(root, fleet.Run("a", 1))
    (path / "report.html").write_text("<p>report")
    answer = client.get("/suite")
    assert f'href="/runs/{path.name}/report"' in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts")
