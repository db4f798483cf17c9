"""Wheels are made of what is here, are named after their content, and hold what a node needs."""

import ast
import csv
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import delphic
import pytest
from delphic.harness.errors import WorldError
from delphic.harness.targets.remote import wheelhouse
from delphic.harness.targets.remote.wheel import KEPT_S, forget, of_installed, of_package
from delphic.harness.targets.remote.wheelhouse import DEPENDENCIES, Survey, fits, own

ROOT = Path(delphic.__file__).resolve().parent
SURVEY = Survey("cp311", "cpython", "3.11.2", "linux-x86_64", ("glibc", "2.36"), "id")


def test_the_same_content_is_the_same_wheel_and_another_is_another(tmp_path: Path) -> None:
    root = tmp_path / "package"
    root.mkdir()
    module = root / "one.py"
    module.write_text("ONE = 1\n")
    first = of_package("small", "1", root, [module], tmp_path / "made")
    file = first.path.stat().st_ino
    again = of_package("small", "1", root, [module], tmp_path / "made")
    assert again == first
    assert again.path.stat().st_ino == file
    module.write_text("ONE = 2\n")
    other = of_package("small", "1", root, [module], tmp_path / "made")
    assert other.part != first.part
    with zipfile.ZipFile(other.path) as archive:
        assert archive.read("small/one.py") == b"ONE = 2\n"


def test_a_wheel_that_nobody_uses_is_forgotten(tmp_path: Path) -> None:
    old, new = (of_package("small", number, tmp_path, [], tmp_path / "made") for number in "12")
    then = time.time() - KEPT_S - 60
    os.utime(old.path, (then, then))
    os.utime(new.path, (then, then))
    assert of_package("small", "2", tmp_path, [], tmp_path / "made") == new
    forget(tmp_path / "made")
    assert list((tmp_path / "made").rglob("*.whl")) == [new.path]
    assert not old.path.parent.exists()


def test_a_wheel_is_one_that_python_can_import_from(tmp_path: Path) -> None:
    wheel = own(tmp_path)
    code = "import delphic.impl.site as s; print(s.__file__); import delphic.harness"
    ran = subprocess.run(
        [
            sys.executable,
            "-IS",
            "-c",
            f"import sys; sys.path.insert(0, {str(wheel.path)!r}); {code}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert str(wheel.path) in ran.stdout
    assert "delphic.harness" in ran.stderr.splitlines()[-1], "nodes need no harness"
    assert own(tmp_path).part == wheel.part


def test_every_file_of_a_wheel_is_listed_with_its_hash(tmp_path: Path) -> None:
    wheel = of_installed("msgspec", tmp_path)
    with zipfile.ZipFile(wheel.path) as archive:
        names = set(archive.namelist())
        record = next(name for name in names if name.endswith("RECORD"))
        rows = {row[0]: row[1] for row in csv.reader(archive.read(record).decode().splitlines())}
    assert set(rows) == names
    assert [name for name, digest in rows.items() if not digest] == [record]
    assert "msgspec/__init__.py" in names
    assert not any("__pycache__" in name for name in names)


def test_an_installed_file_that_was_changed_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site/tiny-1.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site/tiny.py").write_text("changed\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
    (info / "RECORD").write_text("tiny.py,sha256=AAAA,1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(WorldError, match="is not what was installed"):
        of_installed("tiny", tmp_path / "made")
    assert not list((tmp_path / "made").rglob("*.whl*"))
    with pytest.raises(WorldError, match="nothing-of-this-name is not installed here"):
        of_installed("nothing-of-this-name", tmp_path)


def test_what_nodes_import_is_what_is_sent_with_them() -> None:
    found = set()
    for path in (ROOT / "impl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    assert sorted(found - set(sys.stdlib_module_names)) == sorted(DEPENDENCIES)


@pytest.mark.parametrize(
    ("tag", "good"),
    [
        ("cp311-cp311-manylinux_2_28_x86_64", True),
        ("cp311-cp311-manylinux2014_x86_64", True),
        ("cp311-cp311-manylinux_2_37_x86_64", False),
        ("cp312-cp312-manylinux_2_28_x86_64", False),
        ("cp39-abi3-manylinux_2_28_x86_64", True),
        ("cp311-cp311-manylinux_2_28_aarch64", False),
        ("cp311-cp311-musllinux_1_2_x86_64", False),
        ("cp311-cp311-linux_x86_64", False),
        ("py3-none-any", True),
    ],
)
def test_a_wheel_fits_a_host_or_not(tag: str, good: bool) -> None:
    assert fits(tag, SURVEY) is good


def test_a_host_of_another_kind_gets_its_own_wheels_from_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def pip(words: list[str], why: str) -> None:
        asked.append(words)
        place = Path(words[words.index("--dest") + 1])
        place.mkdir(parents=True, exist_ok=True)
        number = wheelhouse.version("msgspec")
        (place / f"msgspec-{number}-cp312-cp312-manylinux_2_17_aarch64.whl").write_bytes(b"")

    monkeypatch.setattr(wheelhouse, "_pip", pip)
    monkeypatch.setattr(wheelhouse, "DEPENDENCIES", ("msgspec",))
    other = Survey("cp312", "cpython", "3.12.2", "linux-aarch64", ("glibc", "2.31"), "id")
    for _ in range(2):
        _, found = wheelhouse.wheels(other, tmp_path)
        assert found.path.name.endswith("cp312-cp312-manylinux_2_17_aarch64.whl")
    assert len(asked) == 1
    words = " ".join(asked[0])
    assert "--python-version 312" in words
    assert "--platform manylinux_2_31_aarch64" in words
    assert "--require-hashes" in words, "the lock file says which"


def test_an_index_that_cannot_be_reached_is_told() -> None:
    with pytest.raises(WorldError) as caught:
        wheelhouse._pip([sys.executable, "-c", "import sys; sys.exit('no index')"], "x needs y")
    assert str(caught.value) == "x needs y; pip cannot fetch it\nno index"


@pytest.mark.parametrize(
    ("python", "implementation", "number", "message"),
    [
        ("cp311", "pypy", "3.11.1", "nodes run on CPython, not on pypy"),
        ("cp39", "cpython", "3.9.2", "nodes need Python 3.11 or newer, not cpython 3.9.2"),
    ],
)
def test_a_python_that_nodes_cannot_run_on_is_told(
    tmp_path: Path, python: str, implementation: str, number: str, message: str
) -> None:
    survey = Survey(python, implementation, number, "linux-x86_64", ("glibc", "2.36"), "id")
    with pytest.raises(WorldError, match=message):
        wheelhouse.wheels(survey, tmp_path)
