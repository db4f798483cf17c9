"""What the lock file pins can be installed with every Python that is promised."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import metadata, version
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
PROMISED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
PIN = re.compile(r"^([\w.-]+)==(\S+) \\$", re.MULTILINE)


def pins() -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements.lock").read_text()))


def too_demanding(names: list[str], lowest: str) -> Iterator[str]:
    for name in names:
        wanted = metadata(name).get("Requires-Python", "")
        if not SpecifierSet(wanted).contains(lowest):
            yield f"{name} wants Python {wanted}"


def test_no_pin_wants_a_newer_python_than_the_project() -> None:
    lowest = PROMISED.removeprefix(">=") + ".0"
    assert list(too_demanding(sorted(pins()), lowest)) == []
    assert list(too_demanding(sorted(pins()), "3.6.0"))


def test_what_is_installed_here_is_what_the_lock_pins() -> None:
    assert {name: version(name) for name in pins()} == pins()
