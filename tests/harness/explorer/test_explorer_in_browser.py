"""The explorer in a real browser: clicked, typed, linked, narrow, and read by a screen reader."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from delphic.harness.explorer.api import Api
from delphic.reports.server import application
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.needs_chromium, pytest.mark.slow]

MISSED = "the server responded with a status of 404"
"""What Chromium says of an address of nothing, whatever the page makes of it."""

expect.set_options(timeout=30_000)  # On a machine that is busy with other tests.

Assemble = Callable[..., Api]
Open = Callable[..., Page]
Barriers = Callable[[Page], list[str]]


class Served:
    """A server in a thread of this process."""

    def __init__(self, api: Api) -> None:
        config = uvicorn.Config(
            application(api.routes(), None), port=0, log_level="error", access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def end(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="module")
def served(assemble: Assemble, run: Path) -> Iterator[dict[str, str]]:
    """Where a model with a mistake is explored, and where a run is."""
    servers = {
        "mutant": Served(assemble("raft", "--mutant", "vote-twice")),
        "again": Served(assemble("raft", "--mutant", "vote-twice")),
        "run": Served(assemble("--run", str(run))),
    }
    yield {name: server.url for name, server in servers.items()}
    for server in servers.values():
        server.end()


@pytest.fixture
def opened(browser: Browser, served: dict[str, str]) -> Iterator[Open]:
    """Opens a page; none may complain, or ask for anything of others."""
    complaints: list[str] = []
    contexts = []

    def open_page(name: str, path: str = "/", *, width: int = 1280, **more: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: MISSED in said.text or complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(f"raised {error}"))
        page.on(
            "request",
            lambda asked: (
                asked.url.startswith(("http://127", "data:"))
                or complaints.append(f"requested {asked.url}")
            ),
        )
        page.goto(served[name] + path)
        expect(page.locator("h1")).to_be_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def heading(page: Page, text: str) -> None:
    expect(page.locator("h1")).to_have_text(text)


def test_clicking_goes_through_states_and_the_browser_goes_back(opened: Open) -> None:
    page = opened("mutant")
    heading(page, "The initial state")
    page.locator(".choices a").first.click()
    heading(page, "State after step 1")
    expect(page.locator(".part.moved h3")).to_contain_text("member 0")
    expect(page.locator(".part.moved .changed", has_text="role")).to_contain_text("candidate")
    page.locator(".choices a", has_text="is asked by member 0 for its vote").first.click()
    heading(page, "State after step 2")
    page.go_back()
    heading(page, "State after step 1")
    page.go_back()
    heading(page, "The initial state")
    page.go_forward()
    heading(page, "State after step 1")
    page.get_by_role("link", name="Back a step").click()
    heading(page, "The initial state")
    page.get_by_role("link", name="On a step").click()
    heading(page, "State after step 1")
    page.reload()
    heading(page, "State after step 1")


def test_a_link_opens_on_a_fresh_server_of_the_same_model_only(
    opened: Open, served: dict[str, str]
) -> None:
    page = opened("mutant")
    for _ in range(3):
        before = page.url
        page.locator(".choices a").first.click()
        expect(page).not_to_have_url(before)
        expect(page.locator(".choices a").first).to_be_focused()
    # The address is whole a moment after the state is shown.
    expect(page).to_have_url(re.compile(rf"^{served['mutant']}/state/0\.0\.0~[0-9a-f]+$"))
    state = page.locator(".parts").first.inner_text()
    path = page.url.removeprefix(served["mutant"])
    fresh = opened("again", path)
    heading(fresh, "State after step 3")
    assert fresh.locator(".parts").first.inner_text() == state
    other = opened("run", path)
    heading(other, "There is no such state here")
    expect(other.get_by_role("alert")).to_contain_text("of another model")


def test_the_counterexample_is_found_and_stepped_through(opened: Open, barriers: Barriers) -> None:
    page = opened("mutant")
    page.get_by_role("button", name="Find a counterexample").click()
    expect(page.locator(".verdict")).to_have_text(
        "BROKEN: one-vote-per-term, after 3 steps.", timeout=60_000
    )
    page.get_by_role("link", name="step through from the start").first.click()
    for step in range(1, 4):
        expect(page.locator(".alarm")).to_have_count(0)
        page.get_by_role("link", name="On a step").click()
        heading(page, f"State after step {step}")
    expect(page.locator(".alarm")).to_contain_text("one-vote-per-term")
    expect(page.locator("tr.broken")).to_contain_text("Broken here.")
    expect(page.get_by_role("link", name="On a step")).to_have_count(0)
    page.get_by_role("link", name="Start", exact=True).click()
    heading(page, "The initial state")
    expect(page.locator(".trail li")).to_have_count(4)
    page.reload()
    expect(page.locator(".trail li")).to_have_count(4)
    assert barriers(page) == []


def test_the_keyboard_is_enough(opened: Open) -> None:
    page = opened("mutant")
    first = page.locator(".choices a").first
    for _ in range(30):
        page.keyboard.press("Tab")
        if first.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("ArrowDown")
    expect(page.locator(".choices a").nth(1)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    heading(page, "State after step 1")
    expect(page.locator(".choices a").first).to_be_focused()
    expect(page.locator("main > .heard[role=status]")).to_contain_text("State after step 1.")
    page.locator(".graph a").last.focus()
    page.keyboard.press("Enter")
    heading(page, "State after step 2")


def test_the_picture_says_what_it_shows(opened: Open) -> None:
    page = opened("mutant", "/state/0.0.0")
    links = page.locator(".graph a")
    names = [links.nth(n).get_attribute("aria-label") for n in range(links.count())]
    assert names[0] == "Back to the state after step 2"
    assert any("breaks one-vote-per-term" in (name or "") for name in names)
    expect(page.locator("section", has=page.locator(".graph"))).to_contain_text("One step leads to")


def test_events_are_filtered_and_visited_states_are_found(opened: Open) -> None:
    page = opened("mutant", "/state/0.0.0")
    events = page.locator(".choices > li")
    before = events.count()
    page.get_by_label("Only events with").fill("member 2 is asked")
    expect(events).not_to_have_count(before)
    for text in events.all_inner_texts():
        assert text.startswith("member 2")
    page.get_by_label("Visited states with").fill("role=candidate")
    page.keyboard.press("Enter")
    expect(page.locator(".search .found a").first).to_be_visible()
    page.locator(".search .found a").last.click()
    expect(page.locator("h1")).to_contain_text("State after step")


@pytest.mark.parametrize(
    "path", ["/state/0.99999", "/state/%3Cimg%20src=x%3E", "/state/" + "1." * 3_000 + "1"]
)
def test_addresses_of_nothing_say_so(opened: Open, path: str) -> None:
    page = opened("again", path)
    expect(page.get_by_role("alert")).to_contain_text("There is no such")
    assert page.locator("img").count() == 0
    page.get_by_role("link", name="Begin at the initial state").click()
    heading(page, "The initial state")


def test_a_run_is_stepped_through_to_where_it_parts_from_the_model(opened: Open) -> None:
    page = opened("run", "/run/0/0")
    heading(page, "Before the run's first step")
    page.get_by_role("link", name="On a step").click()
    heading(page, "Step 1 of the run")
    expect(page.locator(".what")).to_contain_text("boot with 0 entries")
    page.get_by_role("link", name="Next divergence").click()
    expect(page.locator(".parted").first).to_contain_text("Not a step of the model")
    row = page.locator("table.sides tr.broken").first
    expect(row).to_contain_text("differs")
    page.go_back()
    heading(page, "Step 1 of the run")
    page.get_by_label("Step", exact=False).first.fill("17")
    page.keyboard.press("Enter")
    heading(page, "Step 17 of the run")
    page.get_by_label("Only steps with").fill("timer election")
    page.keyboard.press("Enter")
    page.locator(".lines a", has_text="timer election").first.click()
    expect(page.locator(".what")).to_contain_text("hears from no leader for too long")
    page.get_by_role("link", name="The model").click()
    heading(page, "The initial state")


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize(("name", "path"), [("mutant", "/state/0.0.0.1"), ("run", "/run/0/250")])
def test_no_page_is_wider_than_its_screen_or_hard_to_read(
    opened: Open, barriers: Barriers, name: str, path: str, width: int
) -> None:
    page = opened(name, path, width=width)
    expect(page.locator(".part").first).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert barriers(page) == []
    if width == 1280:
        page.emulate_media(color_scheme="dark")
        assert barriers(page) == []


def test_a_link_can_be_copied(opened: Open) -> None:
    page = opened("mutant", "/state/0.1", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
