"""The calls of the tutorial about replication, made on real clusters, give what it shows."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from delphic.harness.running import leases
from test_up_and_shell import shell, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = Path(__file__).resolve().parents[3] / "docs/tutorial-replication.md"
PROMPT = "delphic> "
ROOM = ("--set", "maxFrameSize=268435456")
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    yield
    assert leases.heal() == ([], True)


def without_chance(text: str) -> list[str]:
    """The lines, with ports, moments and the width of columns taken out."""
    masked = re.sub(r"127\.0\.0\.1:\d+", "HOST:PORT", text)
    masked = re.sub(r"(127\.0\.0\.1 +)\d+", r"\1PORT", masked)
    masked = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}", "MOMENT", masked)
    masked = re.sub(r"\b\d\d:\d\d:\d\d\.\d{3}\b", "DURATION", masked)
    masked = re.sub(r"^c[123]$", "LEADER", masked, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in masked.splitlines()]


def calls_and_answers(text: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    calls = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
    return "".join(calls), "".join(line for line in lines if not line.startswith(PROMPT))


def test_the_tutorial_about_replication_shows_what_happens(tmp_path: Path) -> None:
    """Promises PR-9, PR-15, PR-22, PR-24, PR-26, PR-29 and PR-30, as a reader sees them."""
    blocks = re.findall(
        r"^```(master|slave|python|console)( until)?\n(.*?)^```$", PAGE.read_text(), re.M | re.S
    )
    assert [kind for kind, _, _ in blocks].count("console") == 1
    script = tmp_path / "minutes.py"
    new = ("--controllers", "3", *ROOM)
    master_at, slave_at = str(tmp_path / "master"), str(tmp_path / "slave")
    quick = ("--set", "clusterReplicationRetryDelay=100")
    with (
        up("--new", master_at, *new, "--slaves", "1") as master,
        up("--new", slave_at, *new, "--slave-of", master_at, *quick) as slave,
    ):
        for kind, until, text in blocks:
            if kind == "python":
                script.write_text(text)
                continue
            if kind == "console":
                command, _, shown = text.partition("\n")
                assert command.startswith("$ python minutes.py ")
                data_nodes = ",".join(
                    node["site"] for node in master.state["nodes"] if node["alias"].startswith("n")
                )
                ran = [sys.executable, str(script), data_nodes]
                out = subprocess.run(ran, check=True, capture_output=True, text=True).stdout
                assert out == shown
                continue
            calls, shown = calls_and_answers(text)
            sites = (master if kind == "master" else slave).sites
            deadline = time.monotonic() + PATIENCE_S
            while True:
                got = shell(sites, text=calls)
                same = without_chance(got.stdout + got.stderr) == without_chance(shown)
                if same or not until or time.monotonic() > deadline:
                    break
            assert without_chance(got.stdout + got.stderr) == without_chance(shown)
        assert slave.ends(signal.SIGINT) == 0
        assert master.ends(signal.SIGINT) == 0
