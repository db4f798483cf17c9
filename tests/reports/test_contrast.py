"""Colours of pages can be told from what they lie on, by day and by night (WCAG 2.2, AA)."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

REPORTS = Path(__file__).resolve().parents[2] / "reports"
ASSETS = REPORTS / "assets"
SCRIPTS = REPORTS / "web" / "src" / "report"

TEXT, MARK = 4.5, 3.0

Colour = tuple[float, ...]
"""Red, green and blue from 0 to 255, and how much of it covers the ground."""

QUIET = ("follower", "precandidate", "phase", "unseen")
"""Looks of bars that are pale on purpose: a frame tells how far they reach."""

MARKS = (
    "op-ok",
    "op-fail",
    "op-info",
    "witness",
    "fault",
    "leader",
    "candidate",
    "paused",
    "dead",
    "enabled",
    "disabled",
    "stopped",
    "silent",
    "series-0",
    "series-1",
    "series-2",
)


def colours(scheme: int) -> dict[str, Colour]:
    """Those of tokens.css by name; scheme 0 is by day, 1 by night."""
    found = {}
    for name, value in re.findall(r"--([a-z0-9-]+): ([^;]+);", (ASSETS / "tokens.css").read_text()):
        spelled = re.findall(r"#[0-9a-f]{6}|rgba\([^)]*\)", value)
        if spelled:
            found[name] = colour(spelled[scheme if len(spelled) > 1 else 0])
    return found


def colour(spelled: str) -> Colour:
    if spelled.startswith("#"):
        return (*bytes.fromhex(spelled[1:]), 1.0)
    return tuple(float(part) for part in re.findall(r"[\d.]+", spelled))


def over(ink: Colour, ground: Colour, share: float | None = None) -> Colour:
    share = ink[3] if share is None else share
    pairs = zip(ink[:3], ground[:3], strict=True)
    return (*(share * above + (1 - share) * below for above, below in pairs), 1.0)


def contrast(one: Colour, other: Colour) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(of: Colour) -> float:
    parts = [part / 255 for part in of[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def pale(found: dict[str, float], least: float) -> dict[str, float]:
    return {what: round(ratio, 2) for what, ratio in found.items() if ratio < least}


SCHEMES = pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])


def test_contrast_is_what_the_guideline_calls_so() -> None:
    white, black = colour("#ffffff"), colour("#000000")
    assert contrast(white, black) == pytest.approx(21)
    assert contrast(colour("#767676"), white) == pytest.approx(4.54, abs=0.01)
    assert over(black, white, 0.5) == (127.5, 127.5, 127.5, 1.0)


@SCHEMES
def test_text_can_be_read_on_pages_boxes_and_tinted_rows(scheme: int) -> None:
    of = colours(scheme)
    tinted = {f"{name} tint": over(of[name], of["bg"], 0.09) for name in ("witness", "fail")}
    grounds = {"bg": of["bg"], "surface": of["surface"], **tinted}
    inks = ("text", "muted", "accent", "pass", "fail", "unknown", "error", "witness",
            "op-ok", "op-fail", "op-info")  # fmt: skip
    ratios = {
        f"{ink} on {name}": contrast(of[ink], ground)
        for ink in inks
        for name, ground in grounds.items()
    }
    of_verdict = [name for name in of if name.endswith("-ground")]
    ratios |= {name: contrast(of["on-verdict"], of[name]) for name in of_verdict}
    assert pale(ratios, TEXT) == {}


@SCHEMES
def test_text_can_be_read_on_bars(scheme: int) -> None:
    of = colours(scheme)
    looks = ("phase", "enabled", "disabled", "stopped", "silent", "unseen")
    ratios = {look: contrast(of["text"], of[look]) for look in looks}
    assert pale(ratios | {"leader": contrast(of["on-leader"], of["leader"])}, TEXT) == {}


@SCHEMES
def test_marks_can_be_seen(scheme: int) -> None:
    of = colours(scheme)
    assert pale({name: contrast(of[name], of["bg"]) for name in MARKS}, MARK) == {}
    # Where faults were in force, their bars and what clients did lie on a shade.
    band = over(of["band"], of["bg"])
    shaded = ("fault", "op-ok", "op-fail", "op-info", "witness", "muted")
    assert pale({name: contrast(of[name], band) for name in shaded}, MARK) == {}


@SCHEMES
def test_bars_of_operations_can_be_seen(scheme: int) -> None:
    of = colours(scheme)
    share = float(_found(r"const BAR_INK = ([\d.]+);", SCRIPTS / "marks.ts")[0])
    for ground in (of["bg"], over(of["band"], of["bg"])):
        inks = ("op-ok", "op-fail", "op-info")
        ratios = {name: contrast(over(of[name], ground, share), ground) for name in inks}
        assert pale(ratios, MARK) == {}


def test_pale_bars_have_a_frame() -> None:
    framed = _found(r"const QUIET = new Set\(\[([^\]]*)\]\)", SCRIPTS / "rows.ts")[0]
    assert {*re.findall(r"\w+", framed)} >= {*QUIET, "unknown"}


@pytest.mark.parametrize("style", sorted(path.name for path in ASSETS.glob("*.css")))
def test_fields_have_a_border_that_can_be_seen(style: str) -> None:
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", (ASSETS / style).read_text())
    faint = [
        selector.strip()
        for selector, body in rules
        if re.search(r"\b(input|select)\b", selector)
        and re.search(r"border: [^;]*var\(--line\)", body)
    ]
    assert faint == []


def test_placeholders_have_a_colour_of_the_page() -> None:
    """Browsers have one grey for all grounds: 4.3 to 1 by day, 3.6 by night."""
    style = (ASSETS / "tokens.css").read_text()
    assert "::placeholder { color: var(--muted); opacity: 1; }" in style


def _found(pattern: str, path: Path) -> Sequence[str]:
    found = re.search(pattern, path.read_text())
    assert found is not None, f"{path.name}: {pattern}"
    return found.groups()
