"""Make `delphic` importable from a bare checkout, whatever the checkout's folder is called."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent

if importlib.util.find_spec("delphic") is None:
    spec = importlib.util.spec_from_file_location(
        "delphic", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["delphic"] = package
    spec.loader.exec_module(package)


@pytest.fixture(scope="session")
def require() -> Callable[[object, str], None]:
    """What a test needs of the machine: without it the test is skipped, or fails where CI runs."""

    def demand(there: object, otherwise: str) -> None:
        if not there and os.environ.get("DELPHIC_REQUIRE_ALL"):
            pytest.fail(otherwise)
        if not there:
            pytest.skip(otherwise)

    return demand


CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
AXE = ROOT / "reports" / "web" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def browser(require: Callable[[object, str], None]) -> Iterator[Browser]:
    """Debian's Chromium, one for all tests of a file."""
    require(Path(CHROMIUM).exists(), "Debian's Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def barriers(require: Callable[[object, str], None]) -> Callable[[Page], list[str]]:
    """What axe finds on a page that keeps somebody out: what is serious, and worse."""
    require(AXE.is_file(), "axe-core is missing: make reports/web/node_modules/ready")
    text = AXE.read_text()

    def found(page: Page) -> list[str]:
        # Evaluated, not added as a script: pages let no script in that is not theirs.
        page.evaluate(text)
        result: dict[str, Any] = page.evaluate("axe.run({ resultTypes: ['violations'] })")
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in result["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    return found
