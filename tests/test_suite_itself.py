"""What the suite forgives: only what real machines do to it, seldom, and never quietly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).with_name("suite.py")

pytestmark = pytest.mark.slow

FLAKY = """
@pytest.mark.slow
def test_flaky_{0}():
    begun = Path("begun-{0}")
    was_there = begun.exists()
    begun.touch()
    assert was_there
"""


def suite(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow: of real time\n")
    (folder / "test_it.py").write_text(f"from pathlib import Path\nimport pytest\n{text}")
    words = [sys.executable, str(SUITE), "-n0", "test_it.py"]
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    env = {**os.environ, **alone}
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, env=env)


def test_what_passes_three_times_alone_is_named_and_stops_nobody(tmp_path: Path) -> None:
    done = suite(tmp_path, FLAKY.format(1) + "def test_good(): pass\n")
    assert done.returncode == 0
    named = done.stdout.partition("FLAKY")[2]
    assert named.split()[-1] == "test_it.py::test_flaky_1"
    assert "test_good" not in named


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (FLAKY.format(1).replace("@pytest.mark.slow", ""), "not all of them are marked slow"),
        ("".join(map(FLAKY.format, range(4))), "4 tests at once are no accident"),
        ("@pytest.mark.slow\ndef test_bad(): assert False\n", "time 1 of 3"),
        ("@pytest.mark.slow\ndef test_bad(\n", "SyntaxError"),
    ],
    ids=["depends-on-no-machine", "too-many", "fails-again", "no-test-at-all"],
)
def test_nothing_else_is_forgiven(tmp_path: Path, text: str, why: str) -> None:
    done = suite(tmp_path, text)
    assert done.returncode != 0
    assert why in done.stdout
    assert "FLAKY" not in done.stdout


def test_a_green_suite_is_run_once(tmp_path: Path) -> None:
    done = suite(tmp_path, "def test_good(): pass\n")
    assert done.returncode == 0
    assert "alone" not in done.stdout
