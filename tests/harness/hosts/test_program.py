"""The agent as one file: the same bytes from the same sources, nothing in it that a host lacks."""

import ast
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from delphic.harness import hosts
from delphic.harness.agent.undo import HEALED
from delphic.harness.hosts.program import TAKEN_ALONG, built, program
from near_host import no_fuse

SOURCES = Path(hosts.__file__).parent.parent / "agent"


def imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(f"{'.' * node.level}{(node.module or '').split('.')[0]}")
    return found


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.py")), ids=lambda path: path.stem)
def test_the_agent_needs_the_standard_library_and_itself_only(path: Path) -> None:
    own = {f".{each.stem}" for each in SOURCES.glob("*.py")} | {"."}
    assert imported(path.read_text()) - own <= {*sys.stdlib_module_names, *TAKEN_ALONG}


def test_what_is_taken_along_needs_python_alone(
    tmp_path: Path, require: Callable[[object, str], None]
) -> None:
    """Without any installed package, as on a host."""
    require(no_fuse() is None, str(no_fuse()))
    path = tmp_path / program().name
    path.write_bytes(program().content)
    code = "import sys; sys.path.insert(0, sys.argv[1])\n"
    code += "".join(f"import {name}; print({name}.__file__)\n" for name in TAKEN_ALONG)
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, path],
        env={"FUSE_LIBRARY_NAME": "fuse3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [f"{path}/{name}.py" for name in TAKEN_ALONG]


def test_the_same_sources_give_the_same_file_and_others_another(tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text('"""One."""\n')
    first = built(tmp_path)
    assert built(tmp_path) == first
    (tmp_path / "command.py").write_text('"""Two."""\n')
    second = built(tmp_path)
    assert second.name != first.name
    assert second.content != first.content


@pytest.mark.slow
def test_the_file_starts_by_itself_and_says_what_it_can_do(tmp_path: Path) -> None:
    path = tmp_path / program().name
    path.write_bytes(program().content)
    ran = subprocess.run(
        [sys.executable, "-I", path, "heal", "--state", tmp_path / "none"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{HEALED}\n", "")


def test_a_python_that_is_too_old_is_told_so_before_anything_newer_is_read() -> None:
    with zipfile.ZipFile(BytesIO(program().content)) as archive:
        start = archive.read("__main__.py").decode()
    refusing = start[: start.index("from ")].replace("sys.version_info", "(3, 9)")
    ran = subprocess.run(
        [sys.executable, "-I", "-c", refusing], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "needs Python 3.11 or newer" in ran.stderr
