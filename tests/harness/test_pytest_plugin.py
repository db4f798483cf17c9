"""Scenarios as tests of pytest, and projects that want none of it left in peace."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "delphic.harness.pytest_plugin"

GOOD = """\
name: good
workload: {name: log, clients: 2, rate: 40}
duration: 2s
"""
BAD = """\
name: bad
cluster: {bugs: {all: [ack-before-quorum]}}
workload: {name: log, clients: 6, rate: 200}
duration: 6s
faults:
  - {at: 1s, partition: leader, for: 2s}
"""


def run(folder: Path, *words: str) -> tuple[int, str]:
    """Pytest in a process of its own, with this plugin and no other; its exit code and output."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment["DELPHIC_STATE"] = str(folder / "state")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with tests, scenarios, and YAML of another kind."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "other.yaml").write_text("name: nothing of ours\n")
    return tmp_path


def test_it_is_what_pytest_loads() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"delphic": PLUGIN}


@pytest.mark.slow
def test_a_project_that_does_not_ask_for_it_notices_nothing(folder: Path) -> None:
    (folder / "test_mine.py").write_text(
        "import sys\n"
        "def test_mine():\n"
        "    ours = {name for name in sys.modules if name.partition('.')[0] == 'delphic'}\n"
        f"    assert ours == {{'delphic', 'delphic.harness', '{PLUGIN}'}}\n"
    )
    code, told = run(folder, "--strict-markers")
    assert (code, "1 passed" in told) == (0, True), told
    assert not (folder / "runs").exists()


@pytest.mark.slow
def test_each_scenario_is_a_test_and_a_failure_shows_what_shows_it(folder: Path) -> None:
    (folder / "wrong.yaml").write_text("workload: {name: lgo}\nname: wrong\nduration: 2s\n")
    code, told = run(folder, "--delphic", "-rA", "--junit-xml=junit.xml")
    assert code == 1, told
    assert "2 failed, 1 passed" in told
    assert "PASSED good.yaml::sim" in told
    assert "fail [HS-" in told
    assert 'witness:\n  {"index":' in told
    (found,) = (folder / "runs").glob("*-bad-*")
    assert f"run     {found}" in told
    assert f"again   delphic run {folder / 'bad.yaml'} --seed" in told
    assert "wrong.yaml:1: workload.name: unknown value 'lgo'; did you mean 'log'?" in told
    assert "Traceback" not in told
    assert str(found) in (folder / "junit.xml").read_text()


@pytest.mark.slow
def test_seeds_make_a_test_each(folder: Path) -> None:
    words = ("--delphic", "--delphic-seeds", "3..5", "--collect-only", "-q", "good.yaml")
    code, told = run(folder, *words)
    assert code == 0, told
    assert told.splitlines()[:3] == [f"good.yaml::sim, seed {seed}" for seed in (3, 4, 5)]
    code, told = run(folder, "--delphic", "--delphic-seeds", "5..3", "--collect-only")
    assert code != 0
    assert "write 1..20, or 20 for the same" in told


@pytest.mark.slow
def test_a_marked_test_gets_its_run_first(folder: Path) -> None:
    (folder / "test_mine.py").write_text(
        "import pytest\n"
        "@pytest.mark.delphic('good.yaml', seed=7)\n"
        "def test_of_a_file(delphic_run):\n"
        "    assert (delphic_run.verdict.seed, delphic_run.verdict.target) == (7, 'sim')\n"
        "@pytest.mark.delphic('trace-rejoin')\n"
        "def test_that_ships():\n"
        "    pass\n"
        "@pytest.mark.delphic('bad.yaml', seed=1)\n"
        "def test_that_fails():\n"
        "    assert False, 'never reached'\n"
        "def test_without_a_mark(delphic_run):\n"
        "    pass\n"
    )
    code, told = run(folder, "-rA")
    assert code == 1, told
    assert "PASSED test_mine.py::test_of_a_file" in told
    assert "PASSED test_mine.py::test_that_ships" in told
    assert "NotAsExpected: fail [HS-" in told
    assert "never reached" not in told.replace("assert False, 'never reached'", "")
    assert "write @pytest.mark.delphic('SCENARIO')" in told
    assert len(list((folder / "runs").glob("*-good-7"))) == 1


def test_a_marker_with_a_word_that_nobody_knows_is_refused(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        'import pytest\n@pytest.mark.delphic("good.yaml", target="lab")\ndef test_it(): pass\n'
    )
    code, said = run(folder)
    assert (code, "'target'; there are on, seed" in said) == (1, True), said
    assert not (folder / "runs").exists()
