"""Pinning a host's key: what is shown before, what is recorded, what no recording replaces."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.dial import fingerprint, key_of
from delphic.harness.hosts.trust import record, shown

Sshd = Any
"""The server of conftest.py."""


def unpinned(sshd: Sshd, folder: Path) -> Any:
    return sshd.but(host_keys=(), known_hosts=(str(folder / "new/known"), str(folder / "other")))


def test_a_key_that_nobody_pinned_is_shown_and_then_recorded(sshd: Sshd, tmp_path: Path) -> None:
    entry = unpinned(sshd, tmp_path)
    found = shown(entry)
    assert found.fingerprint == fingerprint(key_of(sshd.host_key))
    assert (found.is_known, found.is_other) == (False, False)
    file = record(found)
    assert file.read_text() == f"[127.0.0.1]:{sshd.port} {' '.join(sshd.host_key.split()[:2])}\n"
    assert shown(entry).is_known

    async def work() -> str:
        host = await Host.open(entry)
        try:
            return (await host.run("echo", "trusted")).text
        finally:
            host.close()

    assert asyncio.run(work()) == "trusted"


def test_recording_keeps_the_lines_that_are_there(sshd: Sshd, tmp_path: Path) -> None:
    entry = unpinned(sshd, tmp_path)
    file = tmp_path / "new/known"
    file.parent.mkdir()
    file.write_text("# mine, without an end of line")
    record(shown(entry))
    assert file.read_text().startswith("# mine, without an end of line\n[127.0.0.1]:")


def test_a_key_other_than_the_pinned_one_is_seen(sshd: Sshd, tmp_path: Path) -> None:
    other = sshd.keypair(tmp_path / "other_key")
    (tmp_path / "other").write_text(f"[127.0.0.1]:{sshd.port} {other}\n")
    found = shown(unpinned(sshd, tmp_path))
    assert (found.is_known, found.is_other) == (False, True)
    assert found.pinned == (fingerprint(key_of(other)),)


def test_a_host_that_does_not_answer_is_an_error_with_its_name(sshd: Sshd) -> None:
    with pytest.raises(WorldError, match=r"a: cannot connect to 127\.0\.0\.1 port 1"):
        shown(sshd.but(port=1))
