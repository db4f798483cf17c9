"""Pinning a host's key: what is shown before, what is recorded, what no recording replaces."""

import asyncio
from pathlib import Path
from typing import Any

import paramiko
import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.inventory import Entry
from delphic.harness.hosts.known import fingerprint, key_of
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


def logs_in(entry: Entry) -> None:
    async def work() -> None:
        (await Host.open(entry)).close()

    asyncio.run(work())


@pytest.mark.parametrize("is_first", [True, False])
def test_any_of_several_pinned_keys_of_one_kind_will_do(
    sshd: Sshd, tmp_path: Path, *, is_first: bool
) -> None:
    """In the inventory, in one file, and in two."""
    name = f"[127.0.0.1]:{sshd.port}"
    stale = sshd.keypair(tmp_path / "stale")
    keys = (sshd.host_key, stale) if is_first else (stale, sshd.host_key)
    files = [tmp_path / "one", tmp_path / "two"]
    for file, key in zip(files, keys, strict=True):
        file.write_text(f"{name} {key}\n")
    both = tmp_path / "both"
    both.write_text("".join(f"{name} {key}\n" for key in keys))
    for entry in (
        sshd.but(host_keys=keys),
        sshd.but(host_keys=(), known_hosts=tuple(map(str, files))),
        sshd.but(host_keys=(), known_hosts=(str(both),)),
    ):
        assert shown(entry).is_known
        logs_in(entry)


def test_a_host_of_several_keys_shows_the_kind_that_is_pinned(sshd_with_rsa: Sshd) -> None:
    server = sshd_with_rsa
    for key in (server.host_key, *server.more_keys):
        entry = server.but(host_keys=(" ".join(key.split()[:2]),))
        assert shown(entry).is_known
        logs_in(entry)


def test_a_revoked_key_is_never_trusted_again(sshd: Sshd, tmp_path: Path) -> None:
    line = f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n"
    (tmp_path / "known").write_text(f"{line}@revoked * {sshd.host_key}\n")
    entry = sshd.but(host_keys=(), known_hosts=(str(tmp_path / "known"),))
    found = shown(entry)
    assert (found.is_known, found.is_other) == (False, True)
    with pytest.raises(WorldError, match="is revoked"):
        logs_in(entry)


def test_lines_that_are_no_keys_hide_no_others(sshd: Sshd, tmp_path: Path) -> None:
    right = f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n".encode()
    for at, other in enumerate(
        (
            b"elsewhere ssh-ed25519 AAAAB\n",
            b"elsewhere ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIabc\n",
            b"elsewhere ssh-unheard-of AAAA\n",
            b"elsewhere ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=\n",
            b"@cert-authority * " + sshd.host_key.encode() + b"\n",
            b"@revoked elsewhere " + sshd.host_key.encode() + b"\n",
            b"|1|abc|def ssh-ed25519 AAAA\n|1|only ssh-ed25519 AAAA\n",
            b"# caf\xe9\n\xff\xfe ssh-ed25519 AAAA\n",
            b"elsewhere\n\n \n",
        )
    ):
        file = tmp_path / f"known{at}"
        file.write_bytes(other + right)
        entry = sshd.but(host_keys=(), known_hosts=(str(file),))
        assert shown(entry).is_known, other
        logs_in(entry)


def test_hashed_names_and_patterns_are_read_as_ssh_does(sshd: Sshd, tmp_path: Path) -> None:
    name = f"[127.0.0.1]:{sshd.port}"
    hashed = paramiko.HostKeys.hash_host(name)
    for names, is_known in (
        (hashed, True),
        ("elsewhere,[127.0.0.?]:*", True),
        (f"[127.0.0.*]:*,!{name}", False),
        ("127.0.0.1", False),
    ):
        (tmp_path / "known").write_text(f"{names} {sshd.host_key}\n")
        entry = sshd.but(host_keys=(), known_hosts=(str(tmp_path / "known"),))
        assert shown(entry).is_known == is_known, names


def test_recording_keeps_bytes_that_are_no_text(sshd: Sshd, tmp_path: Path) -> None:
    entry = unpinned(sshd, tmp_path)
    file = tmp_path / "new/known"
    file.parent.mkdir()
    file.write_bytes(b"# caf\xe9\n")
    record(shown(entry))
    assert file.read_bytes().startswith(b"# caf\xe9\n[127.0.0.1]:")
