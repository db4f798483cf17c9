"""What a disk in user space keeps, whatever was done to it before it ended: without a kernel."""

import os
from pathlib import Path
from random import Random

import pytest
from delphic.harness.agent.forgetful import FULL, READ_ONLY, SYNC, Forgetful


def disk(place: Path) -> Forgetful:
    """As after its power came back."""
    place.mkdir(exist_ok=True)
    made = Forgetful(place, lambda: (os.getuid(), os.getgid()))
    made.begin()
    return made


def written(made: Forgetful, path: str, data: bytes, offset: int = 0, flags: int = 0) -> int:
    """A handle of a file that has these bytes now."""
    try:
        handle = made.open(path, os.O_RDWR | flags)
    except FileNotFoundError:
        handle = made.create(path, 0o640, os.O_RDWR | os.O_CREAT | flags)
    assert made.write(path, data, offset, handle) == len(data)
    return handle


def content(made: Forgetful, path: str) -> bytes:
    handle = made.open(path, os.O_RDONLY)
    try:
        return made.read(path, 1 << 20, 0, handle)
    finally:
        made.release(path, handle)


def names(made: Forgetful, path: str = "/") -> list[str]:
    return sorted(name for name in made.readdir(path, 0) if name not in (".", ".."))


def test_what_was_synced_is_there_and_nothing_that_came_after(tmp_path: Path) -> None:
    made = disk(tmp_path / "disk")
    handle = written(made, "/log", b"a" * 5000)
    made.fsync("/log", 0, handle)
    made.write("/log", b"b" * 5000, 4000, handle)
    written(made, "/other", b"c")
    assert content(made, "/log") == b"a" * 4000 + b"b" * 5000
    after = disk(tmp_path / "disk")
    assert names(after) == ["log"]
    assert content(after, "/log") == b"a" * 5000
    assert after.getattr("/log")["st_mode"] & 0o777 == 0o640


def test_a_file_that_was_cut_and_grew_again_has_no_old_bytes_between(tmp_path: Path) -> None:
    made = disk(tmp_path / "disk")
    handle = written(made, "/log", b"a" * 20_000)
    made.fsync("/log", 0, handle)
    made.truncate("/log", 100)
    assert content(disk(tmp_path / "disk"), "/log") == b"a" * 20_000
    made = disk(tmp_path / "disk")
    made.truncate("/log", 100)
    handle = written(made, "/log", b"b", 19_999)
    made.fsync("/log", 0, handle)
    expected = b"a" * 100 + bytes(19_899) + b"b"
    assert content(made, "/log") == expected
    assert content(disk(tmp_path / "disk"), "/log") == expected


def test_names_are_kept_in_their_order_as_far_as_a_sync_concerns_them(tmp_path: Path) -> None:
    made = disk(tmp_path / "disk")
    made.mkdir("/folder", 0o700)
    one = written(made, "/new", b"1")
    made.rename("/new", "/folder/one")
    two = written(made, "/two", b"2")
    made.fsync("/folder/one", 0, one)
    after = disk(tmp_path / "disk")
    assert (names(after), names(after, "/folder")) == (["folder"], ["one"])
    assert content(after, "/folder/one") == b"1"
    made.release("/folder/one", one)
    made.release("/two", two)


def test_a_rename_without_a_sync_of_the_file_may_leave_it_empty(tmp_path: Path) -> None:
    made = disk(tmp_path / "disk")
    made.fsync("/file", 0, written(made, "/file", b"old"))
    written(made, "/new", b"new")
    made.rename("/new", "/file")
    assert content(disk(tmp_path / "disk"), "/file") == b"old"
    made = disk(tmp_path / "disk")
    written(made, "/new", b"new")
    made.rename("/new", "/file")
    made.fsyncdir("/", 0, 0)
    assert content(made, "/file") == b"new"
    after = disk(tmp_path / "disk")
    assert names(after) == ["file"]
    assert content(after, "/file") == b""


def test_every_write_is_a_sync_where_it_was_opened_so(tmp_path: Path) -> None:
    made = disk(tmp_path / "disk")
    written(made, "/log", b"a", flags=os.O_DSYNC)
    assert content(disk(tmp_path / "disk"), "/log") == b"a"


def test_links_are_one_file_also_afterwards(tmp_path: Path) -> None:
    made = disk(tmp_path / "disk")
    written(made, "/one", b"a")
    made.link("/two", "/one")
    made.symlink("/three", "two")
    made.setxattr("/", SYNC, b"1", 0)
    after = disk(tmp_path / "disk")
    after.fsync("/one", 0, written(after, "/one", b"b"))
    assert content(after, "/two") == b"b"
    assert content(disk(tmp_path / "disk"), "/two") == b"b"
    assert after.readlink("/three") == "two"
    assert after.getattr("/one")["st_nlink"] == 2


def test_a_full_disk_takes_what_has_a_place_and_a_read_only_one_nothing(tmp_path: Path) -> None:
    made = disk(tmp_path / "disk")
    handle = written(made, "/log", b"aa")
    made.setxattr("/", FULL, b"1", 0)
    assert made.statfs("/")["f_bavail"] == 0
    made.write("/log", b"b", 1, handle)
    with pytest.raises(OSError, match="No space left"):
        made.write("/log", b"b", 2, handle)
    with pytest.raises(OSError, match="No space left"):
        made.truncate("/log", 3)
    made.setxattr("/", FULL, b"0", 0)
    made.write("/log", b"c", 2, handle)
    made.setxattr("/", READ_ONLY, b"1", 0)
    for act in (
        lambda: made.write("/log", b"d", 0, handle),
        lambda: made.fsync("/log", 0, handle),
        lambda: made.unlink("/log"),
        lambda: made.open("/log", os.O_WRONLY),
        lambda: made.mkdir("/folder", 0o700),
    ):
        with pytest.raises(OSError, match="Read-only"):
            act()
    assert content(disk(tmp_path / "disk"), "/log") == b"abc"
    with pytest.raises(OSError, match="not supported"):
        made.setxattr("/", "user.other", b"1", 0)


def test_what_was_removed_while_it_was_open_is_gone_afterwards(tmp_path: Path) -> None:
    made = disk(tmp_path / "disk")
    handle = written(made, "/log", b"a")
    made.rename("/log", "/.fuse_hidden0001")  # As libfuse does it.
    made.fsync("/.fuse_hidden0001", 0, handle)
    assert names(made) == []
    after = disk(tmp_path / "disk")
    assert list((tmp_path / "disk" / "kept").iterdir()) == []
    assert names(after) == []


class Known:
    """What must be there: names after each change, what each file had when it was synced."""

    def __init__(self) -> None:
        self.names: list[dict[str, int]] = [{}]
        self.synced = 0
        self.data: dict[int, bytes] = {}
        self.kept: dict[int, bytes] = {}


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_names_are_those_of_one_moment_and_files_those_of_their_syncs(
    tmp_path: Path, seed: int
) -> None:
    """Files are told by numbers of our own: numbers of the disk are used again."""
    chance, made, known = Random(seed), disk(tmp_path / "disk"), Known()
    for step in range(120):
        now = dict(known.names[-1])
        path = f"/{chance.choice('abcd')}"
        act = chance.choice(("write", "write", "write", "rename", "unlink", "cut", "sync", "sync"))
        if act == "write":
            if path not in now:
                now[path] = step
                known.names.append(now)
                known.data[step] = known.kept[step] = b""
            data, at = chance.randbytes(chance.randint(1, 6000)), chance.randint(0, 9000)
            made.release(path, written(made, path, data, at))
            old = known.data[now[path]].ljust(at, b"\0")
            known.data[now[path]] = old[:at] + data + old[at + len(data) :]
        elif path not in now:
            continue
        elif act == "cut":
            size = chance.randint(0, 12_000)
            made.truncate(path, size)
            known.data[now[path]] = known.data[now[path]][:size].ljust(size, b"\0")
        elif act == "sync":
            handle = made.open(path, os.O_RDONLY)
            made.fsync(path, 0, handle)
            made.release(path, handle)
            known.kept[now[path]] = known.data[now[path]]
            last = max(
                at for at in range(len(known.names)) if _concerns(known.names, at, now[path])
            )
            known.synced = max(known.synced, last)
        else:
            if act == "rename":
                to = f"/{chance.choice('abcd'.replace(path[1:], ''))}"
                made.rename(path, to)
                now[to] = now.pop(path)
            else:
                made.unlink(path)
                del now[path]
            known.names.append(now)
        assert {path: content(made, path) for path in now} == {
            path: known.data[number] for path, number in now.items()
        }
    after = disk(tmp_path / "disk")
    kept = known.names[known.synced]
    assert names(after) == sorted(path[1:] for path in kept)
    assert {path: content(after, path) for path in kept} == {
        path: known.kept[number] for path, number in kept.items()
    }


def _concerns(moments: list[dict[str, int]], at: int, number: int) -> bool:
    """Whether what the file is called changed then."""
    if at == 0:
        return True
    before, after = moments[at - 1], moments[at]
    return {p for p, n in before.items() if n == number} != {
        p for p, n in after.items() if n == number
    }
