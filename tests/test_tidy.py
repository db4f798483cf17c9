"""The style guide that runs: layers, packaging, sizes, captions, leftovers."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("model", "impl", "harness", "reports")
LINES_MAX = 400
FUNCTION_LINES_MAX = 70

LONG_FUNCTIONS = {
    "model/explore/kernel_soup.py: expand_soup": (
        "compiled: arrays unpacked once, for every access through a record costs a reference count"
    ),
}
"""Functions over the limit, each with its reason."""

Source = tuple[str, str]
"""A path below the root, and the text there."""


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return sorted(path for path in listed if (ROOT / path).is_file())


def sources() -> list[Source]:
    return [(path, (ROOT / path).read_text()) for path in tracked("*.py")]


def in_package(path: str) -> bool:
    return path.split("/")[0] in ROOMS or path in ("__init__.py", "__main__.py")


def uncaptioned(source: Source) -> Iterator[str]:
    path, text = source
    first = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
    if not first.endswith((".", "?")):
        yield f"{path}: line 1 must be a docstring line that says the file's one job"


def too_long(source: Source) -> Iterator[str]:
    path, text = source
    if not in_package(path):
        return
    if len(text.splitlines()) > LINES_MAX:
        yield f"{path}: more than {LINES_MAX} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX and f"{path}: {node.name}" not in LONG_FUNCTIONS:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines"


def absolute_imports(source: Source) -> Iterator[str]:
    path, text = source
    if not in_package(path):
        return
    for node in ast.walk(ast.parse(text)):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        if any(name.split(".")[0] == "delphic" for name in names):
            yield f"{path}:{node.lineno}: imports inside the package are relative"


def leftovers(source: Source) -> Iterator[str]:
    path, text = source
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b", line):
            yield f"{path}:{number}: finish it or file it"


def swallowed(source: Source) -> Iterator[str]:
    path, text = source
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{path}:{node.lineno}: names no exception"


RULES: tuple[Callable[[Source], Iterator[str]], ...] = (
    uncaptioned,
    too_long,
    absolute_imports,
    leftovers,
    swallowed,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_every_source_file_keeps_the_rule(rule: Callable[[Source], Iterator[str]]) -> None:
    assert [found for source in sources() for found in rule(source)] == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (uncaptioned, "x = 1\n"),
        (too_long, '"""A."""\n' + "x = 1\n" * LINES_MAX),
        (too_long, '"""A."""\ndef f() -> None:\n' + "    g()\n" * FUNCTION_LINES_MAX),
        (absolute_imports, '"""A."""\nfrom delphic.model import raft\n'),
        (leftovers, '"""A."""\n# TO' + "DO later\n"),
        (swallowed, '"""A."""\ntry:\n    f()\nexcept:\n    g()\n'),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_rule_finds_what_it_looks_for(
    rule: Callable[[Source], Iterator[str]], text: str
) -> None:
    assert list(rule(("harness/x.py", text)))


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = ["delphic"] + [
        "delphic." + str(Path(path).parent).replace("/", ".")
        for path in tracked("*/__init__.py")
        if path.split("/")[0] in ROOMS
    ]
    assert sorted(listed) == sorted(found)


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {Path(path).parent for path in tracked("*.py") if path.split("/")[0] in ROOMS}
    assert [str(f) for f in sorted(folders) if not (ROOT / f / "__init__.py").is_file()] == []


def test_only_the_front_door_lies_at_the_root() -> None:
    at_root = {path for path in tracked("*.py") if "/" not in path}
    assert at_root == {"__init__.py", "__main__.py"}
