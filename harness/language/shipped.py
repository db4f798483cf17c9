"""The scenarios that come with Delphic, by name."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ..errors import UsageError
from ..reading import check_name, read_text
from ..scenario import Scenario, load
from .selector import closest

_FOLDER = files("delphic").joinpath("scenarios")


def names() -> list[str]:
    """Every shipped scenario."""
    return _in(_FOLDER)


def regressions() -> list[str]:
    """The smallest scenarios that show a seeded bug, as `delphic shrink` made them."""
    return [f"regress/{name}" for name in _in(_FOLDER.joinpath("regress"))]


def _in(folder: Traversable) -> list[str]:
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def text_of(name_or_file: str) -> tuple[str, str]:
    """A scenario's text, and the name of its file for messages. Raises UsageError."""
    path = Path(name_or_file)
    check_name(path)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return read_text(path), name_or_file
    if name_or_file not in (*names(), *regressions()):
        raise UsageError(
            f"there is no scenario {name_or_file!r}{closest(name_or_file, names())}; "
            "a file of your own ends in .yaml"
        )
    file = _FOLDER.joinpath(f"{name_or_file}.yaml")
    return file.read_text(encoding="utf-8"), f"scenarios/{name_or_file}.yaml"


def scenario(name: str) -> Scenario:
    """A shipped scenario, read."""
    return load(*text_of(name))
