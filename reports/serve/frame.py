"""What all pages of the server have in common: head, header, and how an answer is made of them."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import HTMLResponse

from ..markup import Child, Html, el
from ..standalone import page_header

STYLES = ("tokens.css", "suite.css", "serve.css")


def page(title: str, *content: Child | Sequence[Child], status: int = 200) -> HTMLResponse:
    """A page that loads its look and its scripts from /assets/."""
    text = "".join(
        (
            '<!doctype html>\n<html lang="en">',
            el(
                "head",
                el("meta", charset="utf-8"),
                el("meta", name="viewport", content="width=device-width, initial-scale=1"),
                el("meta", name="color-scheme", content="light dark"),
                el("title", f"{title} · Delphic"),
                [el("link", rel="stylesheet", href=f"/assets/{name}") for name in STYLES],
                el("link", rel="icon", href="data:,"),
                el("script", src="/assets/theme.js"),
                el("script", src="/assets/serve.js", defer=True),
            ).text,
            "<body>",
            el("a", "Skip to the content", href="#content", class_="skip").text,
            page_header(_navigation()).text,
            el("main", *content, id="content", tabindex=-1).text,
            "</body></html>\n",
        )
    )
    return HTMLResponse(text.encode("utf-8", errors="replace"), status_code=status)


def _navigation() -> Html:
    links = [el("li", el("a", "Runs", href="/")), el("li", el("a", "Suite report", href="/suite"))]
    return el("nav", el("ul", links), aria_label="Pages")


def run_path(name: str, below: str = "") -> str:
    """Where a run, or something of it, is served."""
    return f"/runs/{quote(name, safe='')}/{below}"


def section(anchor: str, title: str, *content: Child | Sequence[Child]) -> Html:
    """A part of a page with its heading."""
    heading = el("h2", title, id=f"{anchor}-title")
    return el("section", heading, *content, id=anchor, aria_labelledby=f"{anchor}-title")


def sorry(status: int, title: str, text: str) -> HTMLResponse:
    """A page that says why there is nothing to see."""
    return page(title, el("h1", title), el("p", text), status=status)
