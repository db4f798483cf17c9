"""The count of what runs leave behind: it must find one of everything, and nothing of nothing."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.lab import lab, rootless

BENCH = Path(__file__).resolve().parents[2] / "bench"

FOUND = {
    "cgroup": "control groups",
    "descriptor": "descriptors",
    "file": "files",
    "interface": "interfaces",
    "loop": "loop devices",
    "mount": "mounts",
    "namespace": "namespaces",
    "process": "processes",
    "table": "tables",
    "thread": "threads",
}
"""What is leaked, and as what it must be found."""


@pytest.fixture(autouse=True)
def capable(require: Callable[[object, str], None]) -> None:
    require(not rootless.is_inside(), "loop devices and control groups take root")
    require(lab.hindrance() is None, lab.hindrance() or "")


def count(*leaks: str) -> tuple[int, dict[str, Any]]:
    """Two runs that do nothing, at each of which this is leaked."""
    words = [sys.executable, str(BENCH / "leaks.py"), "--on", "nothing", "--runs", "2"]
    done = subprocess.run(
        [*words, "--settles", "0.1", *(word for leak in leaks for word in ("--leak", leak))],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_runs_that_leave_nothing_are_found_to_leave_nothing() -> None:
    code, said = count()
    assert code == 0
    halves = [half for half in said.values() if isinstance(half, dict)]
    assert [(half["runs"], half["left"]) for half in halves] == [(1, {}), (1, {})]


@pytest.mark.slow
def test_one_of_everything_is_found() -> None:
    code, said = count(*FOUND)
    assert code == 1
    for half in (said["nothing, in one process"], said["nothing, each in a process of its own"]):
        assert half["left"].keys() >= set(FOUND.values())
        assert half["left"]["loop devices"] == 1
        assert half["left"]["control groups"] == 1
