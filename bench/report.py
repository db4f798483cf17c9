"""How long a report of a long history takes, how big it gets, and how it moves: one JSON object.

Usage: python bench/report.py [--ops N] [--no-browser]. The run is synthetic
(tests/reports/synthetic.py). In Debian's Chromium: when something is first painted, when all is
drawn, and how long frames take while the plots are moved by keys, beside frames in which nothing
happens: what else the machine does is in both.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from delphic.harness.verdict import Validity
from delphic.reports import junit, markdown
from delphic.reports.page import html
from delphic.reports.page.document import document
from made import generator, timed
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
MOVES = 60

FRAMES = """async ({ moves, keys }) => {
    const plot = document.getElementById('timeline-plot');
    const frame = () => new Promise(requestAnimationFrame);
    const taken = [];
    await frame();
    for (let at = 0; at < moves; at++) {
        const began = performance.now();
        if (keys.length) {
            const key = keys[at % keys.length];
            plot.dispatchEvent(new KeyboardEvent('keydown', { key }));
        }
        await frame();
        await frame();
        taken.push((performance.now() - began) / 2);
    }
    return taken;
}"""
"""Milliseconds a frame: one in which the plots are asked to move, and the one that shows it."""


def in_browser(report: Path) -> dict[str, Any]:
    """When a reader sees something, and how long frames take while plots move."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(report.as_uri())
        page.wait_for_selector("html[data-ready]")
        first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        ready = page.evaluate(
            "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
        )
        page.locator("#timeline-plot").scroll_into_view_if_needed()
        idle = page.evaluate(FRAMES, {"moves": MOVES, "keys": []})
        told = {
            "first_paint_ms": round(first),
            "all_drawn_ms": round(ready),
            "idle_frame_ms": frames(idle),
        }
        for closer in (0, 2, 4):
            page.locator("#timeline-plot").focus()
            page.keyboard.press("0")
            for _ in range(closer):
                page.keyboard.press("+")
            # At the beginning there is nothing to the left: first right, then back.
            keys = ["ArrowRight", "ArrowLeft"] if closer else ["+", "-"]
            taken = page.evaluate(FRAMES, {"moves": MOVES, "keys": keys})
            told[f"moving_frame_ms_at_zoom_{2**closer}"] = frames(taken)
        browser.close()
        return told


def frames(taken: list[float]) -> dict[str, float]:
    """The middle and the slow end of some frames."""
    return {
        "median": round(statistics.median(taken), 1),
        "p95": round(statistics.quantiles(taken, n=20)[-1], 1),
    }


def measured(path: Path, ops: int, validity: Validity, *, browse: bool) -> dict[str, Any]:
    """One run directory of about so many ops, reported on."""
    made = generator("synthetic").build(path, ops=ops, clients=16, validity=validity)
    found, document_s = timed(lambda: document(path))
    page, html_s = timed(lambda: html.render(found))
    _, others_s = timed(lambda: junit.render(found) + markdown.render(found))
    told = {
        "ops": len(made.ops),
        "document_s": document_s,
        "html_s": html_s,
        "junit_and_markdown_s": others_s,
        "total_s": round(document_s + html_s + others_s, 3),
        "report_bytes": len(page.encode()),
    }
    if browse:
        report = path / "report.html"
        report.write_text(page)
        told["browser"] = in_browser(report)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ops", type=int, default=108_000)
    parser.add_argument("--no-browser", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            validity.value: measured(
                Path(folder) / validity.value, asked.ops, validity, browse=not asked.no_browser
            )
            for validity in (Validity.PASS, Validity.FAIL)
        }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
