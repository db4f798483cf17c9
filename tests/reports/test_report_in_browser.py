"""The page in a real browser: it draws, leads, fits a phone, and loads nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.op import OpType
from delphic.harness.verdict import Validity, Verdict
from delphic.reports.page import html
from delphic.reports.page.calls import OPEN, OUTCOMES
from delphic.reports.page.document import Document, document
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.needs_chromium, pytest.mark.slow]

DARK_TEXT = "rgb(26, 30, 36)"
LIGHT_TEXT = "rgb(231, 234, 238)"

Documents = Callable[[str], Document]
Pages = Callable[..., Page]


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
    shown = page.locator(f"#{plot}")
    return [float(shown.get_attribute(f"data-shown-{end}") or "nan") for end in ("from", "to")]


def settle(page: Page) -> None:
    """Until what was asked for is drawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def marks(page: Page) -> int:
    page.locator("#timeline-plot").scroll_into_view_if_needed()
    settle(page)
    return int(page.locator("#timeline-plot").get_attribute("data-marks") or 0)


def ink(page: Page, plot: str = "timeline-plot") -> str | None:
    """The colour in which a plot was drawn last."""
    page.locator(f"#{plot}").scroll_into_view_if_needed()
    settle(page)
    return page.locator(f"#{plot}").get_attribute("data-ink")


def painted(page: Page, plot: str) -> int:
    """How many pixels of a plot hold anything."""
    found: int = page.evaluate(
        """plot => {
            const canvas = document.querySelector(`#${plot} canvas`);
            const context = canvas.getContext('2d');
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((value, at) => at % 4 === 3 && value > 0).length;
        }""",
        plot,
    )
    return found


def in_view(page: Page, selector: str) -> bool:
    found: bool = page.evaluate(
        """selector => {
            const box = document.querySelector(selector).getBoundingClientRect();
            return box.bottom > 0 && box.top < innerHeight && box.height > 0;
        }""",
        selector,
    )
    return found


def test_plots_are_drawn(opened: Pages) -> None:
    page = opened("fail")
    assert marks(page) > 100
    for plot in ("timeline-plot", "latency-plot", "rates-plot"):
        page.locator(f"#{plot}").scroll_into_view_if_needed()
        settle(page)
        assert painted(page, plot) > 10_000


@pytest.mark.parametrize("kind", ["pass", "fail", "hostile"])
def test_a_phone_need_not_scroll_sideways(opened: Pages, kind: str) -> None:
    page = opened(kind, width=390)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    assert page.locator("#timeline-plot canvas").bounding_box()["width"] <= 390
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    assert page.evaluate(width) <= 390
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(width) <= 390
    page.set_viewport_size({"width": 320, "height": 600})
    settle(page)
    assert page.evaluate(width) <= 320
    page.set_viewport_size({"width": 390, "height": 844})


def test_touching_a_plot_scrolls_the_page_and_swiping_moves_time(opened: Pages) -> None:
    page = opened("pass", width=390)
    over = page.locator("#timeline-plot .u-over")
    assert over.evaluate("element => getComputedStyle(element).touchAction") == "pan-y"
    page.keyboard.press("+")
    before = shown_range(page)
    over.evaluate(
        """element => ['pointerdown', 'pointermove'].forEach((name, at) => element.dispatchEvent(
            new PointerEvent(name, { pointerType: 'touch', clientX: 300 - 100 * at })))"""
    )
    assert shown_range(page)[0] > before[0]


def test_a_mouse_drags_nothing_where_a_finger_was_before(opened: Pages) -> None:
    page = opened("pass")
    page.keyboard.press("+")
    over = page.locator("#latency-plot .u-over")
    send = """(element, [name, pointerType, pointerId, clientX]) => element.dispatchEvent(
        new PointerEvent(name, { pointerType, pointerId, clientX }))"""

    def moved(name: str, kind: str, pointer: int, x: int) -> float:
        before = shown_range(page)[0]
        over.evaluate(send, [name, kind, pointer, x])
        return shown_range(page)[0] - before

    moved("pointerdown", "touch", 2, 300)
    assert moved("pointermove", "mouse", 1, 700) == 0
    moved("pointerdown", "touch", 3, 600)
    assert moved("pointermove", "touch", 2, 400) == 0
    assert moved("pointermove", "touch", 3, 500) > 0
    for end in ("pointerup", "pointercancel"):
        moved("pointerdown", "touch", 4, 300)
        moved(end, "touch", 4, 300)
        assert moved("pointermove", "mouse", 1, 200) == 0
    over.hover()
    assert page.locator(".tip").is_visible()


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
    box = page.locator("#timeline-plot .u-over").bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, height)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, height, steps=3)
    page.mouse.move(box["x"] + box["width"] * 0.75, height, steps=3)
    page.mouse.up()
    begin, end = shown_range(page)
    assert end - begin == pytest.approx((whole[1] - whole[0]) / 2, rel=0.05)
    assert shown_range(page, "latency-plot") == [begin, end]


def test_dragging_with_shift_moves_time(opened: Pages) -> None:
    page = opened("pass")
    page.keyboard.press("+")
    before = shown_range(page)
    page.locator("#timeline-plot").scroll_into_view_if_needed()
    box = page.locator("#timeline-plot .u-over").bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 300, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 50, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    after = shown_range(page)
    width = before[1] - before[0]
    assert after[0] - before[0] == pytest.approx(width * 100 / box["width"], rel=0.05)
    assert after[1] - after[0] == pytest.approx(width)


def test_zooming_shows_more_of_less(
    browser: Browser, build: Callable[..., Any], tmp_path: Path
) -> None:
    run = build(tmp_path / "run", ops=24_000, clients=12)
    report = tmp_path / "report.html"
    report.write_text(html.render(document(run.path)))
    tab = Tab(browser, report, 1280)
    page = tab.page
    assert 1_000 < marks(page) < 12_000
    page.get_by_role("button", name="F2 kill").click()
    page.locator("#timeline-plot").focus()
    for _ in range(4):
        page.keyboard.press("+")
    calls = completed_within(run, *shown_range(page))
    assert 10 < calls < 1_000
    assert 0.8 * calls <= marks(page) <= calls + 2
    assert tab.complaints == []
    tab.context.close()


def completed_within(run: Any, begin: float, end: float) -> int:
    """How many completions of clients fall into these seconds."""
    return sum(
        op.is_client and op.type != "invoke" and begin <= op.time_ns / 1e9 <= end for op in run.ops
    )


def test_bars_of_operations_that_never_returned_are_told_wherever_one_points(
    browser: Browser, documents: Documents, tmp_path: Path
) -> None:
    told = documents("pass")
    calls = told.calls
    end_index, end, outcome = (list(of) for of in (calls.end_index, calls.end, calls.outcome))
    opened = [
        next(
            at
            for at, f in enumerate(calls.f)
            if calls.fs[f] == name and calls.process[at] == 1 and calls.start[at] > 500_000
        )
        for name in ("append", "read")
    ]
    for at in opened:
        end_index[at], end[at], outcome[at] = OPEN, OPEN, OUTCOMES.index(OpType.INFO)
    calls = msgspec.structs.replace(
        calls, end_index=tuple(end_index), end=tuple(end), outcome=tuple(outcome)
    )
    report = tmp_path / "report.html"
    report.write_text(html.render(msgspec.structs.replace(told, calls=calls)))
    tab = Tab(browser, report, 1280)
    page = tab.page
    rows = page.evaluate("JSON.parse(document.getElementById('data').textContent).timeline")
    page.locator("#timeline-plot").scroll_into_view_if_needed()
    box = page.locator("#timeline-plot .u-over").bounding_box()
    assert box is not None
    high = box["height"] / len(rows["labels"])
    top = box["y"] + (rows["lane"] + 1) * high

    def told_at(share: float) -> list[str]:
        """The first words of what is said, from the top of the lane to its bottom."""
        said = []
        for down in range(round(high)):
            page.mouse.move(box["x"] + share * box["width"], top + down)
            tip = page.locator(".tip").text_content() or ""
            said.append(tip.split()[0] if "never returned" in tip else "")
        return said

    for name in ("ok", "fail: certainly not done"):
        page.get_by_role("button", name=name, exact=True).click()
    for share in (0.3, 0.97):
        said = told_at(share)
        assert said.count("append") >= high / 4
        assert said.count("read") >= high / 4
        assert max(at for at, name in enumerate(said) if name == "append") < said.index("read")
    assert tab.complaints == []
    tab.context.close()


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
    assert ink(page) == DARK_TEXT
    page.emulate_media(color_scheme="dark")
    assert ink(page) == LIGHT_TEXT
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 22, 27)"


def test_the_switch_overrules_the_system_until_it_is_back(opened: Pages) -> None:
    page = opened("pass")
    ground = "getComputedStyle(document.body).backgroundColor"
    switch = page.locator("[data-theme-switch]")
    said = []
    for _ in range(3):
        switch.focus()
        page.keyboard.press("Enter")
        said.append((switch.get_attribute("aria-label"), ink(page)))
        assert (page.evaluate(ground) == "rgb(19, 22, 27)") is (said[-1][1] == LIGHT_TEXT)
    assert said == [
        ("Colours: light. Switch to dark.", DARK_TEXT),
        ("Colours: dark. Switch to auto, as the system.", LIGHT_TEXT),
        ("Colours: auto, as the system. Switch to light.", DARK_TEXT),
    ]


def test_printing_is_light_and_shows_everything(opened: Pages) -> None:
    page = opened("fail")
    page.emulate_media(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert ink(page) == DARK_TEXT
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert ink(page) == LIGHT_TEXT


def test_the_command_and_the_scenario_can_be_copied(opened: Pages, documents: Documents) -> None:
    page = opened("pass")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).click()
    page.wait_for_selector("button:text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == "delphic run quickstart --seed 7"
    page.get_by_role("button", name="Copy: Scenario").click()
    page.wait_for_selector("button[data-copy=scenario]:text('Copied')")
    scenario = documents("pass").scenario
    assert page.evaluate("navigator.clipboard.readText()") == scenario != ""


def test_a_hostile_run_owns_nothing(opened: Pages, hostile_text: str) -> None:
    page = opened("hostile")
    assert page.title().startswith("fail: A leader is cut off")
    assert page.locator("img").count() == 0
    told = []
    page.locator("#timeline-plot").focus()
    for _ in range(40):
        page.keyboard.press(".")
        told.append(page.locator("#timeline-detail").inner_text())
    assert any("</script><img src=x" in text for text in told)
    assert page.locator("#timeline-detail img").count() == 0
    page.locator("#timeline-plot").scroll_into_view_if_needed()
    box = page.locator("#timeline-plot .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 50, box["y"] + box["height"] - 30)
    assert page.locator(".tip img").count() == 0
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
    page.locator("#states-plot").scroll_into_view_if_needed()
    settle(page)
    assert painted(page, "lag-plot") > 5_000
    assert painted(page, "states-plot") > 5_000
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#lag-plot").focus()
    page.keyboard.press("+")
    assert shown_range(page, "lag-plot") == shown_range(page)
    page.emulate_media(color_scheme="dark")
    assert ink(page, "lag-plot") == LIGHT_TEXT


@pytest.mark.parametrize("width", [1280, 390])
def test_what_waits_is_drawn_and_moves_with_the_rest(opened: Pages, width: int) -> None:
    page = opened("small", width=width)
    plot = page.locator("#queue-plot-0")
    plot.scroll_into_view_if_needed()
    settle(page)
    assert painted(page, "queue-plot-0") > 2_000
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plot.focus()
    page.keyboard.press("+")
    assert shown_range(page, "queue-plot-0") == shown_range(page)
    plot.hover(position={"x": width / 2, "y": 60})
    expect(page.locator("body")).to_contain_text("entries waiting")


def test_on_a_phone_both_sides_of_a_divergence_have_room_for_words(
    browser: Browser, documents: Documents, tmp_path: Path
) -> None:
    states = [["durable", "term 0, vote none, log empty", "term 1, vote n1", "term 0, vote none"]]
    around = [{"at_s": 1.5, "member": "n1", "step": "1/4", "event": "a sync ended", "then": "x"}]
    found = {"divergence": {"member": "n1", "states": states, "around": around}}
    failed = documents("fail")
    assert failed.verdict is not None
    verdict = Verdict("conformance", Validity.FAIL, "It is so.", details=found)
    judged = msgspec.structs.replace(failed.verdict, verdicts=(verdict,))
    path = tmp_path / "report.html"
    path.write_text(html.render(msgspec.structs.replace(failed, verdict=judged)))
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(path.as_uri())
    cells = "[...document.querySelectorAll('.sides td, .around td:nth-child(n + 4)')]"
    assert page.evaluate(f"Math.min(...{cells}.map(cell => cell.offsetWidth))") > 200
    page.close()


def test_filters_leave_what_was_asked_for_and_count_it(opened: Pages, runs: Any) -> None:
    page = opened("pass")
    count = page.locator("#timeline-count")
    whole = len({op.index for op in runs("pass").ops if op.is_client and op.type == "invoke"})
    assert count.inner_text() == f"All {whole:,} operations"
    before = marks(page)
    page.get_by_label("Client", exact=True).select_option("client 2")
    assert 0 < marks(page) < before / 3
    page.get_by_label("Function").select_option("append")
    told = count.inner_text()
    assert told.endswith(f" of {whole:,} operations")
    page.locator("#timeline-plot").focus()
    page.keyboard.press(".")
    assert page.locator("#timeline-detail").inner_text().startswith("append ")
    page.get_by_label("Node").select_option("n3")
    assert count.inner_text() != told
    for label in ("Client", "Function", "Node"):
        page.get_by_label(label, exact=True).select_option("all")
    assert marks(page) == before


def test_a_part_of_a_key_finds_its_operations(opened: Pages, documents: Documents) -> None:
    page = opened("hostile")
    calls = documents("hostile").calls
    some = calls.key.count(calls.keys.index("readings"))
    page.get_by_label("Key").fill("reading")
    assert page.locator("#timeline-count").inner_text().startswith(f"{some:,} of")
    page.get_by_label("Key").fill("no such key")
    assert marks(page) == 0
    page.get_by_label("Key").fill("")
    assert page.locator("#timeline-count").inner_text().startswith("All")


def test_every_operation_has_an_address(opened: Pages, documents: Documents) -> None:
    page = opened("pass")
    whole = shown_range(page)
    calls = documents("pass").calls
    at = len(calls) // 2
    page.evaluate(f"location.hash = '#op-{calls.end_index[at]}'")
    page.wait_for_selector("#timeline-detail a")
    begin, end = shown_range(page)
    assert begin <= calls.start[at] / 1e6 <= end
    assert end - begin < (whole[1] - whole[0]) / 2
    assert f"op {calls.index[at]}" in page.locator("#timeline-detail").inner_text()
    link = page.locator("#timeline-detail a").get_attribute("href")
    assert link == f"#op-{calls.index[at]}"
    assert in_view(page, "#timeline-plot")
    page.evaluate("location.hash = '#op-999999999'")
    assert shown_range(page) == [begin, end]


@pytest.mark.parametrize(
    ("kind", "width", "scheme"), [("fail", 1280, "light"), ("slaves", 390, "dark")]
)
def test_nobody_is_kept_out(
    opened: Pages, barriers: Callable[[Page], list[str]], kind: str, width: int, scheme: Any
) -> None:
    page = opened(kind, width=width)
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    toggle = page.locator("[data-toggle-f]").first
    toggle.click()
    assert barriers(page) == []
    toggle.click()


def test_the_log_of_all_members_can_be_searched(opened: Pages) -> None:
    page = opened("fail")
    lines = page.locator("#merged li")
    count = page.locator("#log-count")
    everything = count.inner_text()
    assert lines.filter(visible=True).count() == lines.count() > 20
    page.get_by_label("Member", exact=True).select_option("n2")
    of_n2 = page.locator("#merged li:not([hidden])")
    assert 0 < of_n2.count() < lines.count()
    assert set(of_n2.evaluate_all("found => found.map(one => one.dataset.node)")) == {"n2"}
    assert count.inner_text() == f"{of_n2.count()} of these {everything}"
    page.get_by_label("Text", exact=True).fill("no such words")
    assert of_n2.count() == 0
    page.get_by_label("Text", exact=True).fill("")
    page.get_by_label("Member", exact=True).select_option("all")
    assert count.inner_text() == everything


def test_the_way_through_the_page_needs_no_mouse(opened: Pages) -> None:
    page = opened("fail")
    skip = page.get_by_role("link", name="Skip to the verdict")
    skip.focus()
    assert in_view(page, ".skip")
    reached: list[str] = []
    while "timeline-plot" not in reached and len(reached) < 80:
        page.keyboard.press("Tab")
        reached.append(
            page.locator(":focus").evaluate(
                "one => one.id || one.getAttribute('aria-label') || one.textContent"
            )
        )
    assert reached[0] == "Verdict"
    wanted = ["Show the operations that prove it", "Picture of messages: Witness 1", "filter-node"]
    assert [place for place in (*wanted, "timeline-plot") if place not in reached] == []


def test_pictures_of_messages_fit_or_scroll_by_themselves(opened: Pages) -> None:
    page = opened("fail", width=390)
    picture = page.locator("#messages .spacetime").first
    assert picture.evaluate("one => one.getBoundingClientRect().width") > 390
    region = page.locator("#messages [role=region]").first
    region.evaluate("one => { one.onscroll = () => { one.dataset.scrolled = one.scrollLeft; }; }")
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#messages [data-scrolled]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
