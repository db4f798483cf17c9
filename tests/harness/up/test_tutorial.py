"""The tutorial's calls, made on a real cluster, give what the tutorial shows."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from delphic.harness.running import leases
from test_up_and_shell import shell, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PAGE = Path(__file__).resolve().parents[3] / "docs/tutorial-ha-streaming.md"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    yield
    assert leases.heal() == ([], True)


def without_chance(text: str) -> list[str]:
    """The lines, with ports, leaders and the width of columns taken out."""
    masked = re.sub(r"127\.0\.0\.1:\d+", "HOST:PORT", text)
    masked = re.sub(r"^n[123]$", "LEADER", masked, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in masked.splitlines()]


def test_the_tutorial_shows_what_happens(tmp_path: Path) -> None:
    """Promises HS-2, HS-16 and HS-22, as a reader sees them."""
    blocks = re.findall(r"^```(delphic|console)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert [kind for kind, _ in blocks].count("console") == 1
    with up("--new", str(tmp_path / "demo")) as cluster:
        for kind, text in blocks:
            if kind == "console":
                assert text.startswith("$ kill -9 ")
                leader = cluster.state["groups"][0]["leader"]
                os.kill(cluster.node(leader).pid, signal.SIGKILL)
                continue
            lines = text.splitlines(keepends=True)
            calls = [line.removeprefix("delphic> ") for line in lines if line[0:9] == "delphic> "]
            shown = "".join(line for line in lines if line[0:9] != "delphic> ")
            got = shell(cluster.sites, text="".join(calls))
            assert without_chance(got.stdout + got.stderr) == without_chance(shown)
        assert cluster.ends(signal.SIGINT) == 0
