"""The page in a real browser: it draws, leads, fits a phone, and loads nothing."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from delphic.reports import html
from delphic.reports.document import Document, document
from playwright.sync_api import Browser, Page, sync_playwright

pytestmark = [pytest.mark.needs_chromium, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
MARKS_MAX = 5_500
"""What a phone draws without making its owner wait."""

DARK_TEXT = "rgb(26, 30, 36)"
LIGHT_TEXT = "rgb(231, 234, 238)"

Documents = Callable[[str], Document]
Pages = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        reason = "Debian's Chromium is not installed: apt-get install chromium"
        if os.environ.get("DELPHIC_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def files(documents: Documents, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A report of a kind, as a file."""
    folder = tmp_path_factory.mktemp("reports")

    def file(kind: str) -> Path:
        path = folder / f"{kind}.html"
        if not path.exists():
            path.write_text(html.render(documents(kind)))
        return path

    return file


class Tab:
    """A page that stays open for many tests, and what it complained about."""

    def __init__(self, browser: Browser, path: Path, width: int) -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 844}, has_touch=width < 700, is_mobile=width < 700
        )
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(f"said {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"raised {error}"))
        self.page.on("request", lambda request: self.requested(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def requested(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.complaints.append(f"requested {url}")


@pytest.fixture(scope="module")
def tabs() -> Iterator[dict[tuple[str, int], Tab]]:
    """Tabs by report and width."""
    found: dict[tuple[str, int], Tab] = {}
    yield found
    for tab in found.values():
        tab.context.close()


@pytest.fixture
def opened(
    browser: Browser, files: Callable[[str], Path], tabs: dict[tuple[str, int], Tab]
) -> Iterator[Pages]:
    """Shows a report from its top. No page may complain, or ask for anything but its file."""
    used: list[Tab] = []

    def open_page(kind: str, *, width: int = 1280) -> Page:
        if (kind, width) not in tabs:
            tabs[kind, width] = Tab(browser, files(kind), width)
        used.append(tabs[kind, width])
        page = used[-1].page
        page.emulate_media(color_scheme="light")
        page.evaluate("location.hash = ''; scrollTo(0, 0)")
        page.locator("#timeline-plot").focus()
        page.keyboard.press("0")
        return page

    yield open_page
    assert [complaint for tab in used for complaint in tab.complaints] == []


def shown_range(page: Page, plot: str = "timeline-plot") -> list[float]:
    found: list[float] = page.evaluate(f"document.getElementById('{plot}').layout.xaxis.range")
    return found


def marks(page: Page) -> int:
    return page.locator("#timeline-plot .scatterlayer .point").count()


def in_view(page: Page, selector: str) -> bool:
    found: bool = page.evaluate(
        """selector => {
            const box = document.querySelector(selector).getBoundingClientRect();
            return box.bottom > 0 && box.top < innerHeight && box.height > 0;
        }""",
        selector,
    )
    return found


@pytest.mark.parametrize("kind", ["pass", "fail"])
def test_plots_are_drawn(opened: Pages, documents: Documents, kind: str) -> None:
    page = opened(kind)
    assert marks(page) > 100
    assert page.locator("#timeline-plot .barlayer .point").count() > 10
    assert page.locator("#series-plot .scatterlayer .js-line").count() >= 4
    rings = 2 if documents(kind).witnesses else 0
    assert page.locator("#timeline-plot .annotation", has_text="W").count() == rings


@pytest.mark.parametrize("kind", ["pass", "fail", "hostile"])
def test_a_phone_need_not_scroll_sideways(opened: Pages, kind: str) -> None:
    page = opened(kind, width=390)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    assert page.locator("#timeline-plot svg.main-svg").first.bounding_box()["width"] <= 390
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    assert page.evaluate(width) <= 390
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(width) <= 390


def test_touching_a_plot_scrolls_the_page(opened: Pages) -> None:
    page = opened("pass", width=390)
    layout = "document.getElementById('timeline-plot').layout.dragmode"
    assert page.evaluate(layout) is False
    assert opened("pass").evaluate(layout) == "zoom"


def test_the_banner_leads_to_the_witness_and_that_into_the_timeline(opened: Pages) -> None:
    page = opened("fail")
    assert not in_view(page, ".witnesses .mark")
    page.get_by_role("link", name="Show the operations that prove it").click()
    assert page.url.endswith("#witness")
    assert in_view(page, "#witness-title")
    whole = shown_range(page)
    page.locator(".witnesses tr:has(.mark) a").first.click()
    assert page.url.endswith("#timeline")
    assert in_view(page, "#timeline-plot")
    begin, end = shown_range(page)
    assert end - begin < (whole[1] - whole[0]) / 10
    assert page.locator("#timeline-plot .annotation", has_text="W1").count() == 1
    page.get_by_role("button", name="Whole run").click()
    assert shown_range(page) == whole


def test_a_checkers_row_leads_to_its_witness(opened: Pages) -> None:
    page = opened("fail")
    link = page.locator("#checkers a").first
    anchor = link.get_attribute("href")
    assert anchor is not None
    link.click()
    assert page.url.endswith(anchor)
    assert in_view(page, anchor)


def test_the_keyboard_moves_through_time(opened: Pages) -> None:
    page = opened("pass")
    whole = shown_range(page)
    page.locator("#timeline-plot").focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    closer = shown_range(page)
    assert closer[1] - closer[0] == pytest.approx((whole[1] - whole[0]) / 4)
    page.keyboard.press("ArrowRight")
    assert shown_range(page)[0] > closer[0]
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert shown_range(page) == whole


def test_dragging_zooms_both_plots(opened: Pages) -> None:
    page = opened("pass")
    whole = shown_range(page)
    page.locator("#timeline-plot").scroll_into_view_if_needed()
    box = page.locator("#timeline-plot .nsewdrag").bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, height)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, height, steps=3)
    page.mouse.move(box["x"] + box["width"] * 0.75, height, steps=3)
    page.mouse.up()
    begin, end = shown_range(page)
    assert end - begin == pytest.approx((whole[1] - whole[0]) / 2, rel=0.05)
    assert shown_range(page, "series-plot") == [begin, end]


def test_zooming_shows_more_of_less(
    browser: Browser, build: Callable[..., Any], tmp_path: Path
) -> None:
    run = build(tmp_path / "run", ops=24_000, clients=12)
    report = tmp_path / "report.html"
    report.write_text(html.render(document(run.path)))
    tab = Tab(browser, report, 1280)
    page = tab.page
    assert 1_000 < marks(page) < MARKS_MAX
    page.get_by_role("button", name="F2 kill").click()
    page.locator("#timeline-plot").focus()
    for _ in range(4):
        page.keyboard.press("+")
    calls = completed_within(run, *shown_range(page))
    assert 10 < calls < 1_000
    assert 0.8 * calls <= marks(page) <= calls
    assert tab.complaints == []
    tab.context.close()


def completed_within(run: Any, begin: float, end: float) -> int:
    """How many completions of clients fall into these seconds."""
    return sum(
        op.is_client and op.type != "invoke" and begin <= op.time_ns / 1e9 <= end for op in run.ops
    )


def test_functions_and_outcomes_can_be_hidden(opened: Pages) -> None:
    page = opened("pass")
    before = marks(page)
    button = page.get_by_role("button", name="read", exact=False).first
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    without_reads = marks(page)
    assert 0 < without_reads < before
    button.click()
    assert marks(page) == before


def test_colours_follow_the_readers_scheme(opened: Pages) -> None:
    page = opened("pass")
    font = "document.getElementById('timeline-plot').layout.font.color"
    assert page.evaluate(font) == DARK_TEXT
    page.emulate_media(color_scheme="dark")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate(font) == LIGHT_TEXT
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 22, 27)"


def test_the_switch_overrules_the_system_until_it_is_back(opened: Pages) -> None:
    page = opened("pass")
    font = "document.getElementById('timeline-plot').layout.font.color"
    ground = "getComputedStyle(document.body).backgroundColor"
    switch = page.locator("[data-theme-switch]")
    said = []
    for _ in range(3):
        switch.focus()
        page.keyboard.press("Enter")
        said.append((switch.get_attribute("aria-label"), page.evaluate(font)))
        assert (page.evaluate(ground) == "rgb(19, 22, 27)") is (said[-1][1] == LIGHT_TEXT)
    assert said == [
        ("Colours: light. Switch to dark.", DARK_TEXT),
        ("Colours: dark. Switch to as the system.", LIGHT_TEXT),
        ("Colours: as the system. Switch to light.", DARK_TEXT),
    ]


def test_printing_is_light_and_shows_everything(opened: Pages) -> None:
    page = opened("fail")
    page.emulate_media(color_scheme="dark")
    font = "document.getElementById('timeline-plot').layout.font.color"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate(font) == DARK_TEXT
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(font) == LIGHT_TEXT


def test_the_command_can_be_copied(opened: Pages) -> None:
    page = opened("pass")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.wait_for_selector("button:text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == "delphic run quickstart --seed 7"


def test_a_hostile_run_owns_nothing(opened: Pages, hostile_text: str) -> None:
    page = opened("hostile")
    assert page.title().startswith("fail: A leader is cut off")
    assert page.locator("img").count() == 0
    page.evaluate(
        """() => {
            const plot = document.getElementById('timeline-plot');
            const isOdd = text => text.includes('script');
            const curve = plot.data.findIndex(t => t.mode === 'markers' && t.text?.some(isOdd));
            const point = plot.data[curve].text.findIndex(isOdd);
            Plotly.Fx.hover(plot, [{curveNumber: curve, pointNumber: point}]);
        }"""
    )
    shown = page.locator("#timeline-plot .hoverlayer").text_content()
    assert shown is not None
    assert "</script><img src=x" in shown
    assert page.locator("#timeline-plot .hoverlayer img").count() == 0
    assert page.title() != "owned"


def test_without_scripts_the_tables_are_there(
    browser: Browser, files: Callable[[str], Path]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(files("fail").as_uri())
    assert page.locator("noscript").count() >= 1
    assert page.locator("table").count() > 5
    assert "is lost" in page.locator(".sentence").first.inner_text()
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_lag_of_slaves_is_drawn_and_moves_with_the_rest(opened: Pages, width: int) -> None:
    page = opened("slaves", width=width)
    assert page.locator("#lag-plot .scatterlayer .js-line").count() == 2
    assert page.locator("#lag-plot .barlayer .point").count() >= 4
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#lag-plot").focus()
    page.keyboard.press("+")
    assert shown_range(page, "lag-plot") == shown_range(page)
    page.emulate_media(color_scheme="dark")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("document.getElementById('lag-plot').layout.font.color") == LIGHT_TEXT
