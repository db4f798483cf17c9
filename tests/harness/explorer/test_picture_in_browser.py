"""The picture of a state's neighbourhood hides no breach and cuts no words."""

from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = [pytest.mark.needs_chromium, pytest.mark.slow]

ABOUT = {"model": "raft", "title": "", "command": "", "network": "", "bounds": [], "actors": [],
         "mutant": None, "run": None}  # fmt: skip
TOLD = {"status": "idle", "limits": "", "states": 0, "depth": 0, "seconds": 0, "sentence": "",
        "notes": [], "statistics": "", "found": []}  # fmt: skip
CHOICE = {"actor": 2, "who": "member 2", "name": "vote", "detail": "",
          "caption": "is asked by member 0 for its vote and for more words than fit"}  # fmt: skip
HERE: dict[str, Any] = {
    "address": "start", "link": "start", "depth": 0, "path": [], "actors": [], "observers": [],
    "network": [], "gone": [], "budgets": [], "properties": [], "ends": "",
    "choices": [CHOICE | {"address": f"{n}", "target": n // 2} for n in range(20)],
}  # fmt: skip
"""Twenty events in pairs, each pair to one state."""


def answer(route: Route) -> None:
    path = route.request.url.removeprefix("http://explorer.test")
    here = HERE | {"choices": [dict(one) for one in HERE["choices"]]}
    here["choices"][13]["breaks"] = ["one-vote-per-term"]
    if path.startswith("/api/"):
        kind = path.split("/")[2]
        route.fulfill(json={"model": ABOUT, "state": here}.get(kind, TOLD))
    elif path.startswith("/assets/"):
        asset = files("delphic.reports").joinpath(path.removeprefix("/"))
        kind = "text/css" if path.endswith("css") else "text/javascript"
        route.fulfill(body=asset.read_bytes(), content_type=kind)
    else:
        page = files("delphic.harness.explorer").joinpath("page.html")
        route.fulfill(body=page.read_bytes(), content_type="text/html")


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.route("**/*", answer)
    page.goto("http://explorer.test/")
    return page


def test_of_events_to_one_state_the_one_that_breaks_a_promise_is_shown(page: Page) -> None:
    broken = page.locator(".graph a", has=page.locator(".node.broken"))
    expect(broken).to_have_attribute("href", "/state/13")
    name = broken.get_attribute("aria-label") or ""
    assert name.startswith("13, 14. member 2 is asked")
    assert name.endswith("; breaks one-vote-per-term; the same by 2 events")


def test_what_stands_beside_a_state_is_not_cut_off(page: Page) -> None:
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator(".graph .caption")).to_have_count(10)
        beyond = page.locator(".graph").evaluate(
            """svg => Math.max(...[...svg.querySelectorAll('.caption')].map(caption => {
                const box = caption.getBBox();
                return box.x + box.width - svg.viewBox.baseVal.width;
            }))"""
        )
        assert beyond < 0
    page.close()
