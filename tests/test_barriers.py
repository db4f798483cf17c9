"""What keeps somebody out of a page is found; else pages in which nothing is found say little."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.needs_chromium, pytest.mark.slow]

PAGE = "<!doctype html><html lang=en><title>Runs</title><main><h1>Runs</h1>{}</main>"


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ("<button>Zoom</button>", set()),
        ("<button></button>", {"button-name"}),
        ("<img src='data:,'>", {"image-alt"}),
        ("<input>", {"label"}),
        ("<p style='color:#bbb;background:#fff'>pass</p>", {"color-contrast"}),
    ],
)
def test_barriers_are_found(
    browser: Browser, barriers: Callable[[Page], list[str]], body: str, rules: set[str]
) -> None:
    page = browser.new_page()
    page.set_content(PAGE.format(body))
    assert {told.split(":")[0] for told in barriers(page)} == rules
    page.close()
