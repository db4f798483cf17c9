"""Where control groups of version 2 are made: in the run's own unit, where systemd keeps the tree.

Which controllers version 2 has depends on what version 1 left: any will do here.
"""

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from delphic.harness.agent import cgroup, groups
from delphic.harness.agent.cgroup import Group
from delphic.harness.agent.proc import boot_id
from delphic.harness.agent.run import Refused, Run
from delphic.harness.agent.undo import UndoLog

LIMITS = {
    "hugetlb": "hugetlb.2MB.max",
    "pids": "pids.max",
    "cpu": "cpu.max",
    "memory": "memory.max",
}


@dataclass(frozen=True)
class Unit:
    """A unit as systemd makes one for a run, and a process in it."""

    root: Path
    path: Path
    controller: str
    process: subprocess.Popen[bytes]

    def where(self) -> str:
        """The group of the process, below the root."""
        lines = Path(f"/proc/{self.process.pid}/cgroup").read_text().splitlines()
        return next(line for line in lines if line.startswith("0::")).removeprefix("0::/")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What /proc says of groups and mounts, for a test to write."""
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    monkeypatch.setattr(groups, "_PROC", folder)
    (folder / "cgroups").write_text("#subsys_name\thierarchy\tnum_cgroups\tenabled\n")
    (folder / "self/mountinfo").write_text("")
    (folder / "self/cgroup").write_text("0::/\n")
    return folder


def mount_line(place: Path, kind: str = "cgroup2", options: str = "rw") -> str:
    return f"30 24 0:26 / {place} rw shared:4 - {kind} none {options}\n"


def tree(place: Path, *controllers: str, shared: str = "", processes: str = "") -> Path:
    place.mkdir(parents=True)
    (place / "cgroup.controllers").write_text(" ".join(controllers))
    (place / "cgroup.subtree_control").write_text(shared)
    (place / "cgroup.procs").write_text(processes)
    return place


def run_in(folder: Path) -> Run:
    run = folder / "run"
    run.mkdir()
    return Run("a run", run, 5.0, "MARK=1", None, has_loops=False, log=UndoLog(run), say=print)


@pytest.fixture
def unit(
    require: Callable[[object, str], None],
    proc: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Unit]:
    """Delegated as by systemd, in the machine's own tree of version 2."""
    require(os.geteuid() == 0, "control groups are made by root")
    root = tmp_path / "groups"
    root.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "none", root], check=True)
    has = (root / "cgroup.controllers").read_text().split()
    found = [name for name in LIMITS if name in has]
    path = root / f"delphic-{uuid.uuid4().hex}.scope"
    shared = (root / "cgroup.subtree_control").read_text().split()
    process = subprocess.Popen(["sleep", "600"])
    try:
        require(found, "version 1 of control groups has all that this kernel has")
        controller = found[0]
        monkeypatch.setitem(cgroup._V2, controller, LIMITS[controller])
        (root / "cgroup.subtree_control").write_text(f"+{controller}")
        path.mkdir()
        os.setxattr(path, "trusted.delegate", b"1")
        (path / "cgroup.procs").write_text(str(process.pid))
        (proc / "self/mountinfo").write_text(mount_line(root))
        (proc / "self/cgroup").write_text(f"1:name=systemd:/x\n0::/{path.name}\n")
        yield Unit(root, path, controller, process)
    finally:
        process.kill()
        process.wait()
        until = time.monotonic() + 5
        for group in sorted(path.glob("**/"), reverse=True):
            while group.exists():
                try:
                    group.rmdir()
                except OSError:
                    assert time.monotonic() < until
                    time.sleep(0.01)
        for name in found[:1]:
            sign = "+" if name in shared else "-"
            (root / "cgroup.subtree_control").write_text(f"{sign}{name}")
        subprocess.run(["umount", root], check=True)


def test_a_group_is_made_in_the_units_own_part_of_the_tree(unit: Unit, tmp_path: Path) -> None:
    run = run_in(tmp_path)
    group = Group(run, unit.controller, "n1")
    assert not list(unit.root.glob("delphic_*"))
    assert unit.where() == f"{unit.path.name}/{groups.REST}"
    group.limit(None)
    group.take([unit.process.pid])
    limited = unit.where()
    assert limited.startswith(f"{unit.path.name}/delphic_a_run")
    assert group.seen() == (None, 1)
    Group(run, unit.controller, "n2")
    assert not run.log.undo(cgroup.UNDO)
    assert unit.where() == f"{unit.path.name}/{groups.REST}"
    assert [path.name for path in unit.path.iterdir() if path.is_dir()] == [groups.REST]


def unasked() -> None:
    """Nothing is noted that goes with its unit."""
    raise AssertionError("it is our own unit's")


def test_what_a_run_switched_on_for_the_machine_is_switched_off_again(
    unit: Unit, proc: Path, tmp_path: Path
) -> None:
    (proc / "self/cgroup").write_text("0::/\n")
    switched = unit.root / "cgroup.subtree_control"
    switched.write_text(f"-{unit.controller}")
    run = run_in(tmp_path)
    for name in ("n1", "n2"):
        Group(run, unit.controller, name)
    assert unit.controller in switched.read_text().split()
    assert run.log.undo(cgroup.UNDO) == []
    assert unit.controller not in switched.read_text().split()


def test_what_somebody_has_come_to_share_further_below_stays(unit: Unit) -> None:
    groups.share(unit.path, unit.controller, unasked)
    groups.unshare(unit.root, unit.controller, LIMITS[unit.controller])
    assert unit.controller in (unit.root / "cgroup.subtree_control").read_text().split()


@pytest.mark.parametrize(
    ("group", "limit", "stays"),
    [
        ("delphic_other_run", "max 100000", True),
        ("somebody", "50000 100000", True),
        ("somebody", "max 100000", False),
        ("somebody", None, False),
    ],
)
def test_what_somebody_limits_by_it_meanwhile_stays(
    tmp_path: Path, group: str, limit: str | None, stays: bool
) -> None:
    place = tree(tmp_path / "tree", "cpu")
    noted: list[str] = []
    groups.share(place, "cpu", lambda: noted.append((place / groups._SHARED).read_text()))
    assert noted == [""], "before it is done"
    (place / group).mkdir()
    if limit is not None:
        (place / group / "cpu.max").write_text(limit)
    groups.unshare(place, "cpu", "cpu.max")
    assert (place / groups._SHARED).read_text() == ("+cpu" if stays else "-cpu")


def test_what_a_machine_shares_since_it_booted_is_not_ours_to_switch_off(
    proc: Path, tmp_path: Path
) -> None:
    with (proc / "cgroups").open("a") as file:
        file.write("memory\t0\t1\t1\n")
    place = tree(tmp_path / "tree", "memory", shared="memory")
    (proc / "self/mountinfo").write_text(mount_line(place))
    log = UndoLog(tmp_path)
    log.add("shared", controller="memory", within=".", boot="another")
    assert log.undo(cgroup.UNDO) == []
    assert (place / groups._SHARED).read_text() == "memory"
    log.add("shared", controller="memory", within=".", boot=boot_id())
    assert log.undo(cgroup.UNDO) == []
    assert (place / groups._SHARED).read_text() == "-memory"


def test_an_agent_that_has_made_room_knows_its_unit_again(unit: Unit, proc: Path) -> None:
    groups.share(groups.home(unit.root), unit.controller, unasked)
    (proc / "self/cgroup").write_text(f"0::/{unit.path.name}/{groups.REST}\n")
    assert groups.home(unit.root) == unit.path


@pytest.mark.parametrize("own", ["session-9.scope", "delphic-not-delegated.scope"])
def test_what_was_not_delegated_to_us_is_left_alone(unit: Unit, proc: Path, own: str) -> None:
    (unit.path / own).mkdir()
    if own.startswith("session"):
        os.setxattr(unit.path / own, "trusted.delegate", b"1")
    (proc / "self/cgroup").write_text(f"0::/{unit.path.name}/{own}\n")
    assert groups.home(unit.root) == unit.root


def test_version_two_may_have_what_is_not_listed_any_more(proc: Path, tmp_path: Path) -> None:
    """/proc/cgroups lists what version 1 could have, which of memory not every kernel can."""
    place = tree(tmp_path / "tree", "cpu", "memory")
    (proc / "self/mountinfo").write_text(mount_line(place))
    assert groups.version("memory") == 2
    assert groups.mounted("memory") == place
    with pytest.raises(Refused, match="no control groups for io"):
        groups.version("io")


def test_groups_are_found_among_mounts_whose_names_are_no_text(proc: Path, tmp_path: Path) -> None:
    place = tree(tmp_path / "tree", "cpu", "memory")
    odd = mount_line(Path("/M\udcfcller"), "ext4") + mount_line(place)
    (proc / "self/mountinfo").write_bytes(os.fsencode(odd))
    (proc / "self/cgroup").write_bytes(b"1:name=x:/M\xfcller\n0::/\n")
    assert groups.mounted("memory") == place
    assert groups.home(place) == place


def test_a_tree_that_another_mount_covers_is_not_where_groups_are(
    proc: Path, tmp_path: Path
) -> None:
    with (proc / "cgroups").open("a") as file:
        file.write("cpu\t4\t1\t1\n")
    covered, seen = tmp_path / "covered", tree(tmp_path / "seen")
    covered.mkdir()
    lines = (mount_line(place, "cgroup", "rw,cpu") for place in (covered, seen))
    (proc / "self/mountinfo").write_text("".join(lines))
    assert groups.mounted("cpu") == seen


@pytest.mark.parametrize(
    ("controllers", "shared", "processes", "why"),
    [
        (["cpu", "memory"], "", "", None),
        (["cpu", "memory"], "cpu memory", "1\n", None),
        (["cpu", "memory"], "", "1\n", "cannot be limited one by one"),
        (["cpu"], "", "", "has no control groups for memory"),
    ],
)
def test_a_containers_tree_may_have_too_little(
    proc: Path,
    tmp_path: Path,
    controllers: list[str],
    shared: str,
    processes: str,
    why: str | None,
) -> None:
    with (proc / "cgroups").open("a") as file:
        file.write("memory\t0\t1\t1\n")
    place = tree(tmp_path / "tree", *controllers, shared=shared, processes=processes)
    (place / "cgroup.type").write_text("domain\n")
    (proc / "self/mountinfo").write_text(mount_line(place))
    said = groups.why_not("memory")
    assert said is None if why is None else why in (said or "")
