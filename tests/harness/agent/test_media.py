"""What disks are made of on a host: tried out, and kept as long as it holds."""

import os
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.agent import disk, fuse, image
from delphic.harness.agent.run import Run
from delphic.harness.agent.undo import UndoLog


def run(folder: Path, *, has_loops: bool) -> Run:
    """Below which nothing was found out yet."""
    own = folder / "runs" / "one"
    own.mkdir(parents=True)
    log = UndoLog(own)
    return Run("one", own, 1.0, "MARK=1", None, has_loops, log, lambda _: None)


def lacking(monkeypatch: pytest.MonkeyPatch, loop: str | None, fuse_: str | None) -> list[str]:
    """What is tried, in which order, where these are missing."""
    tried = []
    for module, why in ((image, loop), (fuse, fuse_)):

        def probe(_: Path, module: Any = module, why: str | None = why) -> str | None:
            tried.append(module.__name__.rpartition(".")[2])
            return why

        monkeypatch.setattr(module, "probe", probe)
    return tried


@pytest.mark.parametrize(
    ("has_loops", "loop", "in_user_space", "why", "tried"),
    [
        (True, None, None, None, ["image"]),
        (True, "no loop", None, None, ["image", "fuse"]),
        (True, "no loop", "no fuse", "no loop; no fuse", ["image", "fuse"]),
        (False, None, None, None, ["fuse"]),
        (
            False,
            None,
            "no fuse",
            "loop devices may not be used (loop_devices: false); no fuse",
            ["fuse"],
        ),
    ],
)
def test_disks_are_files_if_they_can_be_else_in_user_space_else_both_reasons_are_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_loops: bool,
    loop: str | None,
    in_user_space: str | None,
    why: str | None,
    tried: list[str],
) -> None:
    met = lacking(monkeypatch, loop, in_user_space)
    where = run(tmp_path, has_loops=has_loops)
    assert disk.why_not(where) == why
    assert met == tried
    met.clear()
    assert disk.why_not(where) == why
    cannot = [name for name, why in (("image", loop), ("fuse", in_user_space)) if why]
    assert met == [name for name in tried if name in cannot], "only what can be done is kept"


def test_what_can_be_done_is_kept_only_for_those_of_the_same_powers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = run(tmp_path, has_loops=False)
    met = lacking(monkeypatch, None, None)
    assert [disk.why_not(where), disk.why_not(where)] == [None, None]
    assert met == ["fuse"]
    met = lacking(monkeypatch, None, "only root mounts file systems")
    monkeypatch.setattr("delphic.harness.agent.tool.powers", lambda: 0)
    assert str(disk.why_not(where)).endswith("only root mounts file systems")
    monkeypatch.undo()
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    met = lacking(monkeypatch, None, "only root mounts file systems")
    assert str(disk.why_not(where)).endswith("only root mounts file systems")
    assert met == ["fuse"]


def test_agents_that_see_one_folder_try_out_disks_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[set[Path]] = []

    def run_now(*words: str) -> str:
        there.append({path for path in tmp_path.iterdir() if str(path) in words})
        if len(there) == 1:  # The other begins when the first is about to mount.
            assert image.probe(tmp_path) is None
            assert fuse.probe(tmp_path) is None
            assert len(list(tmp_path.iterdir())) == 1
        return ""

    monkeypatch.setattr("delphic.harness.agent.tool.missing", lambda *_: None)
    monkeypatch.setattr("delphic.harness.agent.tool.run_now", run_now)
    monkeypatch.setattr("delphic.harness.agent.tool.may", lambda _: True)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(fuse, "_DEVICE", tmp_path)
    assert image.probe(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    first, other, _, third, again = there
    assert first == again
    assert first.isdisjoint(other)
    assert len(first | other | third) == 3


def test_where_a_file_is_no_disk_the_reason_is_what_the_host_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("mkfs.ext4", "mount", "umount", "unshare"):
        tool = tools / name
        tool.write_text("#!/bin/sh\necho no loop device >&2\nexit 1\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert image.probe(tmp_path) == "a file system in a file cannot be used: no loop device"
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    assert str(image.probe(tmp_path)).startswith("only root mounts file systems")


def test_where_a_process_is_no_disk_the_reason_is_what_the_host_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delphic.harness.agent.tool.may", lambda _: True)
    monkeypatch.setattr(fuse, "_DEVICE", tmp_path / "none")
    assert "modprobe fuse" in str(fuse.probe(tmp_path))
    monkeypatch.setattr(fuse, "_DEVICE", tmp_path)
    words = ("sh", "-c", "echo mount failed: not permitted >&2; exit 1", "sh")
    monkeypatch.setattr("delphic.harness.agent.tool.own", lambda *_: words)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "unshare").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    (tmp_path / "unshare").chmod(0o755)
    said = "a file system in user space cannot be used: mount failed: not permitted"
    assert fuse.probe(tmp_path) == said
    assert not list(tmp_path.glob("probe-*"))
    monkeypatch.setattr("delphic.harness.agent.tool.may", lambda _: False)
    assert str(fuse.probe(tmp_path)).startswith("only root mounts file systems")
