"""The files of a laboratory: removed whoever owns them, and whatever they forbid."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from delphic.harness.agent import proc
from delphic.harness.errors import ExitCode, UsageError, WorldError
from delphic.harness.lab import kernel, lab, rootless
from delphic.harness.lab.command import lab_command
from delphic.harness.lab.folder import Folder, create
from delphic.harness.targets.permissions import subject

REMOVE = """
import sys
from pathlib import Path
from delphic.harness.lab.folder import Folder
Folder(Path(sys.argv[1])).remove()
"""


def locked(folder: Path) -> None:
    """A member's files, as `read-only` leaves them."""
    (folder / "h1/var-tmp/data/deep").mkdir(parents=True)
    (folder / "h1/var-tmp/data/deep/file").touch(mode=0o444)
    (folder / "h1/link").symlink_to("/")
    for path in (folder / "h1/var-tmp/data/deep", folder / "h1/var-tmp/data"):
        path.chmod(0o555)


def test_folders_that_forbid_it_are_removed_without_root(
    tmp_path: Path, require: Callable[[object, str], None]
) -> None:
    require(shutil.which("setpriv"), "there is no setpriv: apt-get install util-linux")
    locked(tmp_path / "lab1")
    words = subject([sys.executable, "-c", REMOVE, str(tmp_path / "lab1")])
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "lab1").exists()


def test_what_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked(tmp_path / "lab1")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(WorldError, match=r"cannot remove \S*lab1: \d files are left"):
        Folder(tmp_path / "lab1").remove()


def test_one_that_cannot_be_removed_hinders_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    removed = []

    def remove(folder: Folder) -> None:
        removed.append(folder.name)
        raise WorldError(f"cannot remove {folder.name}")

    for name in ("lab1", "lab2"):
        (tmp_path / "labs" / name).mkdir(parents=True)
    monkeypatch.setattr(Folder, "remove", remove)
    monkeypatch.setattr(Folder, "age_s", lambda folder: 1e6)
    monkeypatch.setattr(lab, "hindrance", lambda: "no network here")
    said, is_whole = lab.heal()
    assert said == [
        f"The laboratory {name} is not gone: cannot remove {name}." for name in ("lab1", "lab2")
    ]
    assert not is_whole
    assert removed == ["lab1", "lab2"]


def test_one_whose_record_cannot_be_read_hinders_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    monkeypatch.setattr(lab, "hindrance", lambda: "no network here")
    me = proc.me()
    assert create(9, replace(me, start=me.start + 1), rootless=False, inside=None) is not None
    for name, at in (("lab7", 0), ("lab8", None)):
        file = tmp_path / "labs" / name / "lab.json"
        file.parent.mkdir()
        file.touch()
        os.utime(file, None if at is None else (at, at))
    old, unread, dead = lab.heal()[0]
    assert "lab7, which is of before the machine started, is gone" in old
    assert "lab8 is not gone: cannot read " in unread
    assert "lab9, which nobody needed any more, is gone" in dead
    assert not lab.heal()[1]
    assert lab.down() == []
    (known,) = lab.status()
    assert "cannot read " in str(known.error)
    said = CliRunner().invoke(lab_command, ["status"])
    assert "remove it by hand" in said.output
    said = CliRunner().invoke(lab_command, ["down"])
    assert (said.exit_code, "lab8 is not gone" in said.output) == (ExitCode.WORLD, True)
    said = CliRunner().invoke(lab_command, ["down", "--json"])
    assert (said.exit_code, json.loads(said.output)["exit_code"]) == (4, 4)
    (tmp_path / "labs/lab8/lab.json").unlink()
    assert CliRunner().invoke(lab_command, ["down"]).exit_code == 0


def test_one_of_another_namespace_of_pids_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    monkeypatch.setattr(lab, "hindrance", lambda: "no network here")
    folder = create(1, proc.Identity(1, 5), rootless=False, inside=None)
    assert folder is not None
    made = folder.read()
    assert made is not None
    assert made.pids == proc.pid_namespace()
    folder.write(msgspec.structs.replace(made, pids="pid:[1]", owner=None))
    monkeypatch.setattr(proc, "FIRST_NAMESPACE", "")  # Nobody sees here who else there is.
    assert lab.heal() == (
        ["The laboratory lab1 is of another namespace of pids: left alone."],
        True,
    )
    assert lab.down() == []
    (known,) = lab.status()
    assert (known.is_stale, known.error) == (False, "it is of another namespace of pids")
    assert folder.path.exists()
    monkeypatch.undo()
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    if proc.pid_namespace() == proc.FIRST_NAMESPACE:
        assert lab.status()[0].is_stale, "nobody is in it"


def test_who_holds_namespaces_for_another_laboratory_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    monkeypatch.setattr(kernel, "bridges", dict)
    with subprocess.Popen(["sleep", "1000"]) as holder:
        try:
            held = proc.identity(holder.pid)
            first, second = (create(n, None, rootless=True, inside=held) for n in (1, 2))
            assert first is not None
            assert second is not None
            lab.remove(second)
            assert held is not None
            assert proc.alive(held), "the first one is in them"
            lab.remove(first)
            assert not proc.alive(held)
        finally:
            holder.kill()


def test_only_namespaces_that_live_are_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    entered: list[proc.Identity] = []
    monkeypatch.setattr(rootless, "enter_holder", lambda holder, words: entered.append(holder))
    me = proc.me()
    dead = replace(me, start=me.start + 1)
    assert create(1, None, rootless=True, inside=dead) is not None
    said = CliRunner().invoke(lab_command, ["enter", "true"])
    assert isinstance(said.exception, UsageError)
    assert create(0, None, rootless=True, inside=me) is not None
    CliRunner().invoke(lab_command, ["enter", "true"])
    assert entered == [me]


@pytest.mark.parametrize("whose", ["another's by now", "another laboratory's", "unread", "its own"])
def test_who_fails_to_make_one_ends_the_holder_that_is_its_own_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    monkeypatch.setattr(rootless, "is_inside", lambda: True)
    monkeypatch.setattr(rootless, "may_here", lambda: True)

    def fails(*_: object, **__: object) -> None:
        raise WorldError("no folder")

    monkeypatch.setattr("delphic.harness.lab.command.up", fails)
    process = subprocess.Popen(["sleep", "600"])
    try:
        holder = proc.identity(process.pid)
        assert holder is not None
        start = holder.start - (whose == "another's by now")
        monkeypatch.setenv(rootless.HOLDER, f"{holder.pid}:{start}")
        if whose == "another laboratory's":
            assert create(1, None, rootless=True, inside=holder) is not None
        if whose == "unread":
            (tmp_path / "labs/lab1").mkdir(parents=True)
            (tmp_path / "labs/lab1/lab.json").touch()
        said = CliRunner().invoke(lab_command, ["up"])
        assert isinstance(said.exception, WorldError)
        assert proc.alive(holder) is (whose != "its own")
    finally:
        process.kill()
        process.wait()
