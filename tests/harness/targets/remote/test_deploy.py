"""What nodes are made of comes to hosts once, and runs there."""

import asyncio
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.targets.remote.deploy import Berth, Deployed, deploy
from delphic.harness.targets.remote.install import KEPT_S, NEW_S, main
from shells import HereShell

PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")


def berth(name: str, cache: Path) -> tuple[HereShell, Berth]:
    shell = HereShell(name)
    return shell, Berth(shell, PYTHON, str(cache))


@pytest.mark.slow
def test_hosts_that_share_a_disk_are_served_once_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    one, first = berth("h1", cache)
    two, second = berth("h2", cache)
    found = asyncio.run(deploy([first, second]))
    assert found["h1"].python == found["h2"].python
    assert [part.partition("-")[0] for part in found["h1"].sent] == [
        *("delphic", "msgspec", "pyarrow", "uvloop")
    ]
    assert (len(one.sent), two.sent) == (4, [])
    ran = subprocess.run(
        [found["h1"].python, "-c", "import delphic.impl.node as n, pyarrow; print(n.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env={},
    )
    assert ran.stdout.startswith(f"{cache}/parts/delphic-")
    assert not list((cache / "incoming").iterdir())

    again, third = berth("h3", cache)
    assert asyncio.run(deploy([third]))["h3"] == Deployed(
        found["h1"].python, found["h1"].environment, found["h1"].version, ()
    )
    assert (again.sent, len(again.asked)) == ([], 1), "one question, and nothing else"

    environment = cache / "environments" / found["h1"].environment
    os.utime(environment, (time.time() - KEPT_S,) * 2)
    later, fourth = berth("h4", cache)
    assert asyncio.run(deploy([fourth]))["h4"].sent == ()
    assert later.sent == []
    assert time.time() - environment.stat().st_mtime < NEW_S, "what is used is kept"


def test_a_wheel_that_was_damaged_on_its_way_is_not_unpacked(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    with zipfile.ZipFile(incoming / "bad-1.whl", "w") as archive:
        archive.writestr("bad/one.py", b"something else")
        archive.writestr("bad-1.dist-info/RECORD", "bad/one.py,sha256=AAAA,1\n")
    with pytest.raises(SystemExit, match=r"bad/one\.py is not what the wheel says"):
        main(["install", str(tmp_path), "name", "bad-1"])
    assert not (tmp_path / "parts" / "bad-1").exists()


def test_what_nobody_uses_any_more_is_removed(tmp_path: Path) -> None:
    for name, age_s in (("old", KEPT_S + 60), ("new", 0.0)):
        site = tmp_path / "environments" / name / "lib/python3/site-packages"
        site.mkdir(parents=True)
        (tmp_path / "parts" / f"{name}-1").mkdir(parents=True)
        (site / "delphic.pth").write_text(f"{tmp_path}/parts/{name}-1\n")
        then = time.time() - age_s
        os.utime(tmp_path / "environments" / name, (then, then))
    main(["install", str(tmp_path), "new", "new-1"])
    assert os.listdir(tmp_path / "environments") == ["new"]
    assert os.listdir(tmp_path / "parts") == ["new-1"]


def test_a_host_that_cannot_is_told_with_what_it_said(tmp_path: Path) -> None:
    shell = HereShell("h1")
    with pytest.raises(WorldError) as caught:
        asyncio.run(deploy([Berth(shell, "/usr/bin/false", str(tmp_path))]))
    assert str(caught.value).startswith("h1: cannot deploy (survey)")
    with pytest.raises(WorldError, match="answers with something else"):
        asyncio.run(deploy([Berth(shell, "/bin/echo", str(tmp_path))]))
