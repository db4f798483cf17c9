"""Files to a host and back: once, whole, checked, and onwards from where a connection was lost."""

import asyncio
import os
import resource
import stat
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts import transfer
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.link import Ran

Sshd = Any
"""The server of conftest.py."""

T = TypeVar("T")


def on(sshd: Sshd, work: Callable[[Host], Awaitable[T]]) -> T:
    async def run() -> T:
        host = await Host.open(sshd.entry)
        try:
            return await asyncio.wait_for(work(host), 60)
        finally:
            host.close()

    return asyncio.run(run())


def test_what_is_put_is_there_with_its_mode_and_is_not_sent_twice(
    sshd: Sshd, tmp_path: Path
) -> None:
    remote = tmp_path / "new folder" / "deep" / "file"
    data = bytes(range(256)) * 1000

    async def work(host: Host) -> list[bool]:
        first = await host.put(data, str(remote), 0o750)
        return [first, await host.put(data, str(remote), 0o600)]

    assert on(sshd, work) == [True, False]
    assert remote.read_bytes() == data
    assert stat.S_IMODE(remote.stat().st_mode) == 0o600
    assert os.listdir(remote.parent) == ["file"]


def test_other_content_replaces_a_file_atomically(sshd: Sshd, tmp_path: Path) -> None:
    remote = tmp_path / "file"
    remote.write_bytes(b"old")
    with remote.open("rb") as reader:
        assert on(sshd, lambda host: host.put(b"newer", str(remote)))
        assert reader.read() == b"old"
    assert remote.read_bytes() == b"newer"


def test_an_empty_file_and_a_file_from_disk_arrive(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(os.urandom(3_000_000))

    async def work(host: Host) -> None:
        assert await host.put(b"", str(tmp_path / "empty"))
        assert await host.put(tmp_path / "local", str(tmp_path / "remote"))
        await host.get(str(tmp_path / "remote"), tmp_path / "back")
        await host.get(str(tmp_path / "empty"), tmp_path / "empty back")

    on(sshd, work)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "local").read_bytes()
    assert (tmp_path / "empty back").read_bytes() == b""


def test_where_a_folder_is_no_file_is_put(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"a: cannot put .*\nthere is a directory"):
        on(sshd, lambda host: host.put(b"x", str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_cannot_be_got(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"a: cannot get .*\nthere is no such file"):
        on(sshd, lambda host: host.get(str(tmp_path / "none"), tmp_path / "local"))
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_missing_of_a_file_is_fetched(sshd: Sshd, tmp_path: Path) -> None:
    """The part is left by an earlier attempt; a wrong one costs a second attempt, no more."""
    data = os.urandom(200_000)
    (tmp_path / "remote").write_bytes(data)
    for had in (data[:150_000], data, data + b"x", b"wrong" * 1000):
        (tmp_path / "local.part").write_bytes(had)
        on(sshd, lambda host: host.get(str(tmp_path / "remote"), tmp_path / "local"))
        assert (tmp_path / "local").read_bytes() == data
        assert not (tmp_path / "local.part").exists()


def grown(file: Path, size: int) -> int:
    """Wait until a file is longer than this; how long it was then."""
    while not file.exists() or file.stat().st_size <= size:
        time.sleep(0.001)
    return file.stat().st_size


@pytest.mark.slow
def test_a_download_goes_on_after_its_connection_was_cut(sshd: Sshd, tmp_path: Path) -> None:
    data = os.urandom(8_000_000) * 8
    (tmp_path / "remote").write_bytes(data)
    part = tmp_path / "local.part"

    async def work(host: Host) -> int:
        getting = asyncio.create_task(host.get(str(tmp_path / "remote"), tmp_path / "local"))
        had = await asyncio.to_thread(grown, part, 100_000)
        sshd.cut()
        await getting
        return had

    assert 100_000 < on(sshd, work) < len(data)
    assert (tmp_path / "local").read_bytes() == data


@pytest.mark.slow
def test_an_upload_whose_connection_was_cut_leaves_nothing_half(sshd: Sshd, tmp_path: Path) -> None:
    data = os.urandom(24_000_000)

    async def work(host: Host) -> bool:
        putting = asyncio.create_task(host.put(data, str(tmp_path / "to" / "remote")))
        waiting = 'until [ -s "$1"/remote.*.new ]; do sleep 0.001; done'
        await host.must("sh", "-c", waiting, "sh", str(tmp_path / "to"))
        sshd.cut()
        return await putting

    assert on(sshd, work)
    assert (tmp_path / "to" / "remote").read_bytes() == data
    until = time.monotonic() + 10  # What was begun first goes once it finds its input ended.
    while os.listdir(tmp_path / "to") != ["remote"] and time.monotonic() < until:
        time.sleep(0.01)
    assert os.listdir(tmp_path / "to") == ["remote"]


def test_no_attempt_writes_where_another_may_still_write() -> None:
    """The host does not know yet that the first one's connection was lost."""
    names: list[str] = []

    class Twice:
        """A link on which the first attempt is lost."""

        silence_s = 1.0

        async def alone(self, what: str, act: Any, limit_s: float, *, again: bool) -> Ran:
            act(self)
            return Ran(0, act(self).out, b"")

        def run(self, line: str, source: Iterable[bytes]) -> Ran:
            names.append(line)
            return Ran(0, b"", b"")

    class To:
        link = Twice()

        def line(
            self, words: Sequence[str], *, sudo: bool = False, within_s: float | None = None
        ) -> tuple[str, bytes]:
            return words[-1], b""

    assert asyncio.run(transfer.put(cast(Any, To()), b"x", "/file", 0o600, sudo=False))
    assert len(names) == len(set(names)) == 4


def test_a_folder_comes_with_all_its_files_and_nothing_else(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "-source folder"
    (source / "in ner/empty").mkdir(parents=True)
    (source / "in ner/new\nline").write_bytes(b"a" * 100_000)
    (source / "b").write_bytes(b"")
    os.link(source / "in ner/new\nline", source / "same")
    (source / "outside").symlink_to("/etc/hostname")
    os.mkfifo(source / "pipe")
    on(sshd, lambda host: host.get(str(source), tmp_path / "local"))
    found = {str(p.relative_to(tmp_path / "local")) for p in (tmp_path / "local").rglob("*")}
    assert found == {"b", "same", "in ner", "in ner/empty", "in ner/new\nline"}
    assert (tmp_path / "local/same").read_bytes() == b"a" * 100_000
    assert sorted(os.listdir(tmp_path)) == ["-source folder", "local"]


def test_a_folder_is_never_mixed_with_another(sshd: Sshd, tmp_path: Path) -> None:
    for name in ("source", "local"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with pytest.raises(WorldError, match="is there already"):
        on(sshd, lambda host: host.get(str(tmp_path / "source"), tmp_path / "local"))
    assert (tmp_path / "local/file").read_text() == "local"


@pytest.mark.slow
def test_a_large_file_goes_through_little_memory(sshd: Sshd, tmp_path: Path) -> None:
    size = 64 << 20
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def work(host: Host) -> None:
        await host.get(str(tmp_path / "large"), tmp_path / "back")

    on(sshd, work)
    assert (tmp_path / "back").stat().st_size == size
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < size / 1024 / 4
