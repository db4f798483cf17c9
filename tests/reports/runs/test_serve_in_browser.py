"""Runs in a real browser: found, compared, watched and downloaded, by mouse, keyboard and ear."""

import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner
from delphic.harness.history import encode
from delphic.harness.op import Op, OpType
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Validity
from delphic.reports.index.index import Index
from delphic.reports.serve import app as served
from delphic.reports.serve.app import app
from delphic.reports.suite.command import suite_report_command
from delphic.reports.write import write
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.needs_chromium, pytest.mark.slow]
expect.set_options(timeout=30_000)  # On a machine that is busy with other tests.

ONE, TWO = "20260101T000000Z-quickstart-1", "20260101T000001Z-quickstart-2"
PATHS = ("/?q=1", f"/runs/{TWO}/", f"/compare?run={ONE}&run={TWO}", "/suite", "/no-such-page")

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, build: Callable[..., Any], fleet: Any) -> Path:
    """Two whole runs, with reports, and many that are only judged."""
    folder: Path = tmp_path_factory.mktemp("served") / "runs"
    build(folder / ONE, ops=400)
    build(folder / TWO, ops=400, validity=Validity.FAIL, seed=9)
    for name in (ONE, TWO):
        write(folder / name)
    for run in fleet.drawn(60):
        fleet.write(folder, run)
    fleet.write(folder, fleet.Run("scenario-00", 0, started=fleet.BEGAN + timedelta(days=1),
                                  validity=Validity.FAIL, git="0" * 40))  # fmt: skip
    return folder


@contextmanager
def listening(index: Index, token: str | None = None) -> Iterator[str]:
    """Where the runs are served, from a thread of this process."""
    config = uvicorn.Config(app(index, token), port=0, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def address(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(Index(root, tmp_path_factory.mktemp("index") / "index.sqlite3")) as place:
        yield place


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Open]:
    """Opens a page. None may complain, or ask anybody else for anything."""
    complaints: list[str] = []
    contexts = []

    def open_page(path: str, *, width: int = 1280, **more: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"said {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"raised {error}"))
        page.on("request", lambda request: requested(request.url))
        page.goto(address + path)
        return page

    def requested(url: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            complaints.append(f"requested {url}")

    yield open_page
    for context in contexts:
        context.close()
    # Of an address of nothing Chromium says so, whatever the page makes of it.
    assert [said for said in complaints if "status of 404" not in said] == []


def begin(run: RunDir) -> None:
    """Let a run be one that this process makes, however long nothing is written."""
    me = {"host": socket.gethostname(), "pid": os.getpid()}
    run.environment.write_text(json.dumps(me))
    run.history.write_bytes(b"")
    run.verdict.unlink()


@pytest.mark.parametrize("path", PATHS)
def test_no_page_keeps_anybody_out(
    opened: Open, barriers: Callable[[Page], list[str]], path: str
) -> None:
    for width, scheme in ((1280, "light"), (390, "dark")):
        page = opened(path, width=width, color_scheme=scheme)
        assert page.locator("main").count() == 1
        assert barriers(page) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_very_narrow_page_need_not_be_moved_sideways(opened: Open, path: str) -> None:
    page = opened(path, width=320)
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_list_is_filtered_and_sorted(opened: Open, address: str) -> None:
    page = opened("/")
    expect(page.get_by_role("status").first).to_contain_text("63 runs, page 1 of 2")
    page.get_by_label("Target").select_option("sim")
    expect(page.get_by_role("status").first).to_contain_text("41 runs")
    assert page.url == f"{address}/?target=sim"
    page.get_by_label("Text").fill("vote-twice")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("status").first).to_contain_text("8 runs")
    page.get_by_role("link", name="seed").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    assert "q=vote-twice" in page.url
    page.go_back()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text("63 runs")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("status").first).to_contain_text("page 2 of 2")


def test_two_ticks_lead_to_a_comparison(opened: Open) -> None:
    page = opened("/?scenario=quickstart")
    button = page.get_by_role("button", name="Compare the two")
    expect(button).to_be_disabled()
    for name in (ONE, TWO):
        page.get_by_label(f"Compare {name}").check()
    button.click()
    expect(page.get_by_role("heading", name="Two runs")).to_be_visible()
    expect(page.locator("#verdicts small", has_text="differs").first).to_be_visible()
    page.go_back()
    page.goto(page.url.split("?")[0])
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).check()
    boxes.nth(1).check()
    expect(boxes.nth(2)).to_be_disabled()
    boxes.nth(0).uncheck()
    expect(boxes.nth(2)).to_be_enabled()


def test_the_keyboard_alone_leads_from_the_list_to_a_file(opened: Open) -> None:
    page = opened(f"/?q={TWO}")
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if focused.get_attribute("href") == f"/runs/{TWO}/":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("A leader is cut off")
    page.locator("#files a", has_text="plan.json").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/files/plan.json")
    assert '"scenario": "quickstart"' in page.locator("body").inner_text()


def test_a_report_is_at_home_here(opened: Open, barriers: Callable[[Page], list[str]]) -> None:
    page = opened(f"/runs/{TWO}/")
    page.get_by_role("link", name="Report", exact=True).click()
    page.wait_for_selector("html[data-ready]")
    page.get_by_role("link", name="Show the operations that prove it").click()
    assert page.url.endswith("#witness")
    assert page.evaluate("origin") == "null"
    page.get_by_role("button", name="Copy").first.click()
    page.wait_for_timeout(200)


def test_with_a_token_pages_without_an_origin_lead_on(
    browser: Browser, root: Path, tmp_path: Path
) -> None:
    token = "0123456789abcdef-token"
    with listening(Index(root, tmp_path / "index.sqlite3"), token) as place:
        context = browser.new_context()
        page = context.new_page()
        refused = page.goto(f"{place}/suite")
        assert refused is not None
        assert refused.status == 401
        page.goto(f"{place}/suite?token={token}")
        assert page.url == f"{place}/suite"
        page.locator("#matrix a.mark").first.click()
        page.wait_for_selector("html[data-ready]")
        context.close()


def test_a_run_comes_as_a_zip(opened: Open) -> None:
    page = opened(f"/runs/{ONE}/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as zip").click()
    assert download.value.suggested_filename == f"{ONE}.zip"
    assert Path(download.value.path()).read_bytes()[:2] == b"PK"


def test_a_running_run_is_watched_to_its_verdict(opened: Open, root: Path, fleet: Any) -> None:
    path = RunDir(fleet.write(root, fleet.Run("live", 1, started=fleet.BEGAN + timedelta(days=2))))
    verdict = path.verdict.read_bytes()
    begin(path)
    page = opened("/?verdict=running")
    # The list is at most two seconds old.
    for _ in range(30):
        if page.get_by_role("link", name="live").count():
            break
        page.wait_for_timeout(100)
        page.reload()
    page.get_by_role("link", name="live").click()
    status = page.locator(".now")
    expect(status).to_contain_text("▶ Running")
    role = {"role": "leader", "term": 4}
    ops = [Op(0, 10**9, "observer", OpType.INFO, "role", node="n2", value=role)]
    for number in range(20):
        at = (2 + number) * 10**9
        ops.append(Op(2 * number + 1, at, 0, OpType.INVOKE, "append"))
        ops.append(Op(2 * number + 2, at + 5_000_000, 0, OpType.OK, "append", value=number))
    path.history.write_bytes(b"".join(map(encode, ops)))
    expect(status).to_contain_text("n2 leads in term 4")
    expect(page.locator("#live .grid tbody")).to_contain_text("append2000")
    assert page.locator("svg.seconds rect").count() == 21
    path.report.write_text("<!doctype html><title>done</title>")
    path.verdict.write_bytes(verdict)
    expect(status).to_contain_text("Judged")
    page.get_by_role("link", name="Show the verdict").click()
    expect(page.locator(".kind")).to_contain_text("Pass")
    shutil.rmtree(path.path)


def test_who_watches_runs_in_many_tabs_can_open_one_more(
    opened: Open, root: Path, fleet: Any
) -> None:
    path = RunDir(fleet.write(root, fleet.Run("tabs", 1, started=fleet.BEGAN + timedelta(days=4))))
    begin(path)
    turn = """isAway => {
        Object.defineProperty(document, 'hidden', { value: isAway, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    try:
        first = opened("/suite")
        watched = first.url.replace("suite", f"runs/{path.path.name}/")
        # A browser has six connections to a server.
        for page in (first, *(first.context.new_page() for _ in range(6))):
            page.goto(watched)
            expect(page.locator(".now")).to_contain_text("▶ Running")
            page.evaluate(turn, True)
        with first.expect_request("**/live"):
            first.evaluate(turn, False)
    finally:
        shutil.rmtree(path.path)


def test_the_list_follows_runs_that_begin_and_end_and_disturbs_nobody(
    opened: Open, root: Path, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "FRESH_S", 0.0)
    monkeypatch.setattr(served, "REST", 0)
    page = opened("/?scenario=quickstart")
    ticked, field = page.get_by_label(f"Compare {ONE}"), page.get_by_label("Text")
    ticked.check()
    field.fill("not asked for yet")
    page.locator("table").evaluate("table => { table.dataset.same = 'yes'; }")
    # Small enough to be scrolled: who reads the second row goes on reading it.
    page.set_viewport_size({"width": 390, "height": 300})
    row = page.locator(f"tr[data-run='{ONE}']")
    row.evaluate("row => row.scrollIntoView()")
    before = row.bounding_box()
    fresh = fleet.Run("quickstart", 1, started=fleet.BEGAN + timedelta(days=3))
    path = RunDir(fleet.write(root, fresh))
    added = page.locator("tbody tr").first
    try:
        verdict = path.verdict.read_bytes()
        begin(path)
        expect(added).to_have_attribute("data-run", path.path.name)
        expect(added).to_contain_text("Running")
        expect(page.get_by_role("status").first).to_have_text("3 runs")
        expect(page.get_by_label("Scenario").locator("option[selected]")).to_contain_text("(3)")
        path.verdict.write_bytes(verdict)
        expect(added).to_contain_text("Pass")
        expect(page.locator("table")).to_have_attribute("data-same", "yes")
        expect(field).to_have_value("not asked for yet")
        expect(field).to_be_focused()
        expect(ticked).to_be_checked()
        # But for what is less than a point of the screen.
        after = row.bounding_box()
        assert before is not None
        assert after is not None
        assert after["y"] == pytest.approx(before["y"], abs=1)
        added.get_by_role("checkbox").check()
        expect(page.get_by_role("button", name="Compare the two")).to_be_enabled()
        link = added.get_by_role("link").first
        link.focus()
        path.verdict.unlink()
        expect(added).to_contain_text("Running")
        expect(link).to_be_focused()
        expect(added.get_by_role("checkbox")).to_be_checked()
    finally:
        shutil.rmtree(path.path)
    expect(page.get_by_role("status").first).to_have_text("2 runs")
    # What is ticked stays to be compared, even where it is no longer one of them.
    expect(page.locator("tbody tr").last).to_have_attribute("data-run", path.path.name)
    expect(page.locator("tbody tr").last.get_by_role("checkbox")).to_be_checked()


def test_the_suite_report_finds_scenarios_and_leads_to_reports(
    opened: Open, root: Path, browser: Browser
) -> None:
    page = opened("/suite")
    expect(page.locator("#flaky")).to_contain_text("a bug of Delphic")
    page.locator("#matrix").get_by_label("Find scenarios").fill("quick")
    expect(page.locator("#matrix [data-found]")).to_have_text(re.compile("1 of 4[12]"))
    page.locator("#matrix tr:visible a.mark").first.click()
    page.wait_for_selector("html[data-ready]")
    told = CliRunner().invoke(suite_report_command, [str(root)])
    assert told.exit_code == 0
    context = browser.new_context()
    alone = context.new_page()
    alone.goto((root / "suite.html").as_uri())
    alone.locator("#matrix .odd", has_text="fail, not expected").first.scroll_into_view_if_needed()
    alone.locator("#matrix a.mark").first.click()
    alone.wait_for_selector("html[data-ready]")
    context.close()


def test_colours_are_switched_and_kept(opened: Open) -> None:
    page = opened("/", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    switch = page.locator("[data-theme-switch]")
    switch.click()
    switch.click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
