"""Takes the pictures of pages that docs/images holds.

Usage: python bench/pictures.py [NAME …] [--out DIR]. A NAME is the beginning of a picture's:
`site`, `report-fail`. Runs are simulated, those of the list drawn (tests/reports/runs/fleet.py),
and the one that is watched is a real one. In Debian's Chromium. Pictures of the explorer are not
among them.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import uvicorn
from delphic.reports.index.index import Index
from delphic.reports.serve.app import app
from made import REPORTS, generator
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ROOT = Path(__file__).resolve().parent.parent
WIDE, NARROW = (1400, 900), (390, 844)

RUNS = {
    "fail": ("bug-stale-read", 1),
    "pass": ("quickstart", 1),
    "replicate": ("replicate-chaos", 2),
}
"""Scenario and seed of each simulated run."""

WATCHED_S = 14.0
DRAWN = 60


class Shot(NamedTuple):
    """A picture: of which page, how large, by day or by night, and of which part of it."""

    name: str
    page: str
    size: tuple[int, int] = WIDE
    scheme: str = "light"
    part: str | None = None


SHOTS = (
    Shot("report-pass-wide", "pass"),
    Shot("report-fail-wide", "fail"),
    Shot("report-fail-dark", "fail", scheme="dark"),
    Shot("report-fail-narrow", "fail", (390, 1400)),
    Shot("report-timeline-wide", "fail", part="#timeline"),
    Shot("report-timeline-narrow", "fail", NARROW, "dark", "#timeline"),
    Shot("report-messages-wide", "fail", part="#messages figure"),
    Shot("report-queues-wide", "pass", part="#queues"),
    Shot("report-lag-wide", "replicate", part="#lag"),
    Shot("report-logs-dark", "fail", (1280, 900), "dark", "#logs"),
    Shot("serve-list-wide", "/"),
    Shot("serve-list-narrow", "/", NARROW),
    Shot("serve-run-narrow", "/runs/{fail}/", NARROW),
    Shot("serve-compare-wide", "/compare?run={fail}&run={pass}", scheme="dark"),
    Shot("serve-live-wide", "/runs/{watched}/"),
    Shot("suite-wide", "/suite"),
    Shot("suite-narrow", "/suite", NARROW),
    Shot("site-wide", "site"),
    Shot("site-dark", "site", scheme="dark"),
    Shot("site-narrow", "site", NARROW),
    Shot("site-narrow-dark", "site", NARROW, "dark"),
)


def delphic(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "delphic", *words], cwd=ROOT, capture_output=True, text=True
    )
    # A seeded bug that is found is what is expected, so that all of them end with 0.
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def simulated(out: Path) -> dict[str, str]:
    """The names of the runs' directories."""
    names = {}
    for kind, (scenario, seed) in RUNS.items():
        delphic("run", scenario, "--seed", str(seed), "--on", "sim", "--out", str(out))
        names[kind] = (out / "latest").resolve().name
    return names


@contextmanager
def watched(out: Path) -> Iterator[str]:
    """A real run that has gone on for some time."""
    words = [sys.executable, "-m", "delphic", "run", "quickstart", "--seed", "7", "--out", str(out)]
    before = set(out.iterdir())
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            time.sleep(WATCHED_S)
            (fresh,) = {p for p in out.iterdir() if not p.is_symlink()} - before
            yield fresh.name
        finally:
            process.wait()


@contextmanager
def served(root: Path, cache: Path) -> Iterator[str]:
    index = Index(root, cache)
    server = uvicorn.Server(
        uvicorn.Config(app(index, None), port=0, lifespan="off", log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True  # Lists and runs are streams.
        thread.join()


def take(browser: Browser, shot: Shot, address: str, out: Path) -> None:
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=shot.scheme,
        reduced_motion="reduce",
    )  # fmt: skip
    page = context.new_page()
    page.goto(address)
    if shot.page in RUNS:
        page.wait_for_selector("html[data-ready]")
    page.wait_for_timeout(2_500 if "{watched}" in shot.page else 500)
    path = str(out / f"{shot.name}.png")
    if shot.part is None:
        page.screenshot(path=path)
    else:
        part = page.locator(shot.part).first
        part.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        part.screenshot(path=path)
    print(path)
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    asked = parser.parse_args()
    shots = [s for s in SHOTS if not asked.names or s.name.startswith(tuple(asked.names))]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root, site = Path(folder) / "runs", Path(folder) / "site"
        root.mkdir()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        if any(shot.page == "site" for shot in shots):
            subprocess.run([sys.executable, "-m", "mkdocs", "--quiet", "build", "-d", str(site)],
                           cwd=ROOT, check=True)  # fmt: skip
        names = simulated(root) if any(shot.page != "site" for shot in shots) else {}
        for shot in [s for s in shots if not s.page.startswith("/")]:
            file = (
                site / "start.html"
                if shot.page == "site"
                else root / names[shot.page] / "report.html"
            )
            take(browser, shot, file.as_uri(), asked.out)
        of_server = [s for s in shots if s.page.startswith("/")]
        if not of_server:
            return
        fleet = generator("fleet", REPORTS / "runs")
        for run in fleet.drawn(DRAWN):
            fleet.write(root, run)
        with served(root, Path(folder) / "index.sqlite3") as place:
            for shot in of_server:
                if "{watched}" not in shot.page:
                    take(browser, shot, place + shot.page.format_map(names), asked.out)
            for shot in of_server:
                if "{watched}" in shot.page:
                    with watched(root) as live:
                        take(browser, shot, place + shot.page.format(watched=live), asked.out)


if __name__ == "__main__":
    main()
