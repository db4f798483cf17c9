"""What all pages of one file have in common: one look, a policy that lets nothing in, a header."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from .markup import Child, Html, el


@cache
def asset(name: str) -> str:
    """One of the files in assets/: styles by hand, scripts bundled from web/."""
    assert __package__
    return files(__package__).joinpath("assets", name).read_text("utf-8")


def head(title: str, styles: Sequence[str], scripts: Iterable[str]) -> Html:
    """The head of a page whose styles are these assets, after the look of all pages.

    Nothing is loaded, and no script runs but the theme's and these, whatever slipped into the data.
    """
    theme = asset("theme.js")
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy((theme, *scripts))),
        el("title", title),
        el("style", Html("".join(map(asset, ("tokens.css", *styles))))),
        el("script", Html(theme)),
    )


def _policy(scripts: Iterable[str]) -> str:
    hashes = " ".join(f"'sha256-{_hashed(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _hashed(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


def page_header(*content: Child) -> Html:
    """The name, what the page puts there, and the switch between light and dark.

    The switch says nothing until the theme's script has found out what it is set to.
    """
    switch = el("button", "◐ auto", type="button", class_="theme", data_theme_switch=True)
    return el("header", el("p", "Delphic", class_="brand"), *content, switch)
