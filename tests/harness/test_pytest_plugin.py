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
    """Pytest in a process of its own, with this plugin and no other; its exit code and output.

    In CI (`CI`, `BUILD_NUMBER`) its last lines tell whole messages, elsewhere cut ones: a test
    that counts them must not depend on where it runs.
    """
    environment = {
        word: at for word, at in os.environ.items() if word not in ("CI", "BUILD_NUMBER")
    }
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
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


def test_a_scenario_is_one_however_its_yaml_is_written(folder: Path) -> None:
    for name, text in {
        "block.yaml": "{\n  name: block,\n  workload: {name: log}, duration: 2s}\n",
        "flow.yml": "{name: flow, workload: {name: log}, duration: 2s}\n",
        "indented.yaml": "  name: indented\n  workload: {name: log}\n  duration: 2s\n",
        "quoted.yaml": "name: quoted\n'workload': {name: log}\nduration: 2s\n",
        "twice.yaml": "{name: twice, workload: {name: log}, name: twice, duration: 2s}\n",
        "broken.yaml": "name: broken\nworkload: {name: log\n",
        "inner.yaml": "spec:\n  workload: {name: log}\n",
        "list.yaml": "[workload]\n",
        "none.yaml": "text: |\n  workload: none\nlater: [\n",
        "tagged.yaml": "Thing: !Ref workload\n",
    }.items():
        (folder / name).write_text(text)
    code, told = run(folder, "--delphic", "--collect-only", "-q")
    assert code == 0, told
    found = sorted(line.partition("::")[0] for line in told.splitlines() if "::" in line)
    ours = ["bad", "block", "broken", "flow", "good", "indented", "quoted", "twice"]
    assert [name.partition(".")[0] for name in found] == ours


def test_what_a_marker_says_wrongly_is_refused_before_anything_is_run(folder: Path) -> None:
    wrong = ['seed="7"', "seed=-1", f"seed={1 << 63}", "seed=True", "seed=7.0", "on=7", "'sim', 7"]
    (folder / "test_it.py").write_text(
        "import pytest\n"
        + "".join(
            f"@pytest.mark.delphic('good.yaml', {said})\ndef test_{at}(): pass\n"
            for at, said in enumerate(wrong)
        )
    )
    code, told = run(folder, "--tb=line")
    assert (code, f"{len(wrong)} errors" in told) == (1, True), told
    assert told.count("seed is a whole number from 0 to 9223372036854775807, not") == 5
    assert told.count("on is a text, not 7") == 1
    assert told.count("write @pytest.mark.delphic('SCENARIO')") == 1
    assert not (folder / "runs").exists()


def test_a_report_that_cannot_be_written_fails_the_test(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "import delphic.reports.write\n"
        "def refused(run):\n"
        "    raise AssertionError('no page')\n"
        "delphic.reports.write.write = refused\n"
    )
    code, told = run(folder, "--delphic", "good.yaml")
    assert code == 1, told
    assert "pass: " in told
    assert "The report could not be written:" in told
    assert "AssertionError: no page" in told
