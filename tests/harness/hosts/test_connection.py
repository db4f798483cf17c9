"""Commands and channels on a real sshd: what they give back, and what happens when it goes away."""

import asyncio
import contextlib
import os
import shlex
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import paramiko
import pytest
from delphic.harness.errors import UsageError, WorldError
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.dial import dial_socket
from delphic.harness.hosts.inventory import Entry
from delphic.harness.hosts.known import fingerprint, key_of
from delphic.harness.hosts.link import CHANNELS_MAX, Ran
from paramiko.common import cMSG_CHANNEL_EOF

Sshd = Any
"""The server of conftest.py."""


def do(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def ran(sshd: Sshd, *words: str, **how: Any) -> Ran:
    async def work() -> Ran:
        host = await Host.open(sshd.entry)
        try:
            return await host.run(*words, **how)
        finally:
            host.close()

    return do(work())


def test_a_command_gives_its_exit_code_its_output_and_its_errors(sshd: Sshd) -> None:
    found = ran(sshd, "sh", "-c", "cat; echo trouble >&2; exit 42", input=b"in\0put")
    assert found == Ran(42, b"in\0put", b"trouble\n")


def test_output_and_errors_larger_than_any_window_come_whole(sshd: Sshd) -> None:
    found = ran(sshd, "sh", "-c", "head -c 9000000 /dev/zero >&2; cat", input=b"x" * 9_000_000)
    assert (found.code, len(found.err), found.out) == (0, 9_000_000, b"x" * 9_000_000)


def test_input_that_nobody_reads_is_no_failure(sshd: Sshd) -> None:
    assert ran(sshd, "true", input=b"x" * 5_000_000).code == 0


def end_late(channel: paramiko.Channel) -> None:
    """As `Channel.shutdown_write`, by a thread that stands still where the library lets it."""
    until = time.monotonic() + 0.2
    while not channel.closed and time.monotonic() < until:
        time.sleep(0.001)
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_EOF)
    message.add_int(channel.remote_chanid)
    channel.transport._send_user_message(message)


def test_the_end_of_an_input_comes_before_that_of_its_command(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or sshd ends the connection: "ieof packet referred to nonexistent channel"."""
    monkeypatch.setattr(paramiko.Channel, "shutdown_write", end_late)

    async def work() -> list[Ran]:
        host = await Host.open(sshd.entry)
        try:
            words = (("true",), ("sh", "-c", "exit 3"), ("sh", "-c", "cat; sleep 0.1; echo done"))
            return await asyncio.gather(*(host.run(*command, input=b"in") for command in words))
        finally:
            host.close()

    assert do(work()) == [Ran(0, b"", b""), Ran(3, b"", b""), Ran(0, b"indone\n", b"")]


def test_an_exit_code_is_an_error_where_it_must_be_zero(sshd: Sshd) -> None:
    async def work() -> None:
        host = await Host.open(sshd.entry)
        try:
            assert (await host.must("echo", "well")).text == "well"
            with pytest.raises(WorldError, match=r"a: .*ended with 3\nno such luck") as caught:
                await host.must("sh", "-c", "echo no such luck >&2; exit 3")
            assert caught.value.node == "a"
        finally:
            host.close()

    do(work())


def test_a_nul_in_a_word_is_refused(sshd: Sshd) -> None:
    with pytest.raises(UsageError, match="NUL"):
        ran(sshd, "echo", "a\0b")


@pytest.mark.slow
def test_the_host_itself_ends_a_command_that_takes_too_long(sshd: Sshd, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(WorldError, match=r"did not end within 0\.3 s"):
        ran(sshd, "sh", "-c", 'echo $$ > "$1"; exec sleep 100', "sh", str(pid), timeout_s=0.3)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.slow
def test_more_commands_than_places_wait_for_one_another(sshd: Sshd) -> None:
    async def work() -> list[Ran]:
        host = await Host.open(sshd.entry)
        try:
            runs = (host.run("echo", str(n)) for n in range(4 * CHANNELS_MAX))
            return await asyncio.gather(*runs)
        finally:
            host.close()

    assert [found.text for found in do(work())] == [str(n) for n in range(4 * CHANNELS_MAX)]


def test_a_channel_carries_bytes_both_ways_until_it_is_closed(sshd: Sshd) -> None:
    async def work() -> None:
        host = await Host.open(sshd.entry)
        try:
            channel = await host.channel("sh", "-c", "cat; echo gone >&2; exit 7")
            for message in (b"one\n", b"\0\xff"):
                await channel.send(message)
                assert await channel.receive() == message
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(channel.receive(), 0.05)
            await channel.send(b"after a wait that was given up\n")
            assert await channel.receive() == b"after a wait that was given up\n"
            channel.close()
            channel.close()
            assert await channel.receive() == b""
        finally:
            host.close()

    do(work())


def test_a_channel_tells_how_its_command_ended(sshd: Sshd) -> None:
    async def work() -> None:
        host = await Host.open(sshd.entry)
        try:
            channel = await host.channel("sh", "-c", "read -r line; echo gone >&2; exit 7")
            await channel.send(b"go\n")
            assert await channel.receive() == b""
            assert await channel.ended() == (7, "gone\n")
            with pytest.raises(WorldError, match="does not listen"):
                await channel.send(b"x" * 5_000_000)  # More than any window takes.
            channel.close()
        finally:
            host.close()

    do(work())


@pytest.mark.slow
def test_a_lost_connection_is_made_again_for_the_next_command(sshd: Sshd) -> None:
    async def work() -> None:
        host = await Host.open(sshd.entry)
        try:
            channel = await host.channel("cat")
            sshd.cut()
            assert await channel.receive() == b""
            channel.close()
            assert (await host.run("echo", "back")).text == "back"
        finally:
            host.close()

    do(work())


@pytest.mark.slow
@pytest.mark.parametrize("again", [True, False])
def test_only_what_may_happen_twice_is_tried_again(
    sshd: Sshd, tmp_path: Path, *, again: bool
) -> None:
    """The connection is cut while the command runs for the first time; the second does not wait."""
    log = tmp_path / "log"
    script = '[ -e "$1" ] && exec echo second; echo ran > "$1"; exec sleep 60'

    async def work() -> Ran:
        host = await Host.open(sshd.entry)
        try:
            running = asyncio.create_task(host.run("sh", "-c", script, "sh", str(log), again=again))
            await host.must("sh", "-c", 'until [ -s "$1" ]; do sleep 0.01; done', "sh", str(log))
            sshd.cut()
            return await running
        finally:
            host.close()

    if again:
        assert do(work()).text == "second"
    else:
        with pytest.raises(WorldError, match="nobody knows what it did"):
            do(work())


@pytest.mark.slow
def test_a_host_that_stays_away_is_an_error_that_says_what_was_tried(sshd: Sshd) -> None:
    async def work() -> None:
        host = await Host.open(sshd.entry, patience_s=0.5)
        try:
            sshd.stop()
            with pytest.raises(
                WorldError, match=r"a: cannot connect to 127\.0\.0\.1 port \d+: .*ref"
            ):
                await host.run("true", again=True)
            sshd.start()
            assert (await host.run("true")).code == 0
        finally:
            host.close()

    do(work())


def test_a_host_whose_key_is_not_known_is_refused_with_its_fingerprint(sshd: Sshd) -> None:
    shown = fingerprint(key_of(sshd.host_key))
    with pytest.raises(WorldError, match="is not known") as caught:
        do(Host.open(sshd.but(host_keys=())))
    assert shown in str(caught.value)


def test_a_host_whose_key_is_another_is_refused_with_both(sshd: Sshd, tmp_path: Path) -> None:
    for kind in ("ed25519", "rsa"):
        other = sshd.keypair(tmp_path / kind, kind)
        with pytest.raises(WorldError, match="but pinned is") as caught:
            do(Host.open(sshd.but(host_keys=(other,))))
        for key in (sshd.host_key, other):
            assert fingerprint(key_of(key)) in str(caught.value)


def test_a_known_hosts_file_pins_as_well(sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text(f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n")
    entry = sshd.but(host_keys=(), known_hosts=(str(tmp_path / "none"), str(file)))

    async def work() -> None:
        (await Host.open(entry)).close()

    do(work())


def test_who_cannot_log_in_is_told_what_was_tried(sshd: Sshd, tmp_path: Path) -> None:
    sshd.keypair(tmp_path / "stranger")
    keys = (str(tmp_path / "stranger"), str(tmp_path / "missing"))
    with pytest.raises(WorldError, match="cannot log in") as caught:
        do(Host.open(sshd.but(keys=keys)))
    for part in (keys[0], f"{keys[1]} (no such file)"):
        assert part in str(caught.value)
    with pytest.raises(WorldError, match=r"cannot log in with the key \S+ \(no such file\)"):
        do(Host.open(sshd.but(keys=keys[1:])))


def test_a_key_with_a_passphrase_takes_it_from_the_environment(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phrase = 'wo\'rd "$(x)" -n'
    public = sshd.keypair(tmp_path / "locked", passphrase=phrase)
    with (sshd.folder / "authorized").open("a") as authorized:
        authorized.write(public + "\n")
    locked = sshd.but(keys=(str(tmp_path / "locked"),))
    with pytest.raises(WorldError, match="passphrase_env"):
        do(Host.open(locked))
    entry = sshd.but(keys=(str(tmp_path / "locked"),), passphrase_env="PHRASE")
    with pytest.raises(UsageError, match="no variable 'PHRASE'"):
        do(Host.open(entry))
    monkeypatch.setenv("PHRASE", phrase + "x")
    with pytest.raises(WorldError, match=r"locked: a key is damaged, or \$PHRASE is not its pass"):
        do(Host.open(entry))
    monkeypatch.setenv("PHRASE", phrase)

    async def work() -> None:
        (await Host.open(entry)).close()

    do(work())
    assert phrase not in repr(entry)


def test_secrets_and_names_that_are_none_are_mistakes_of_the_user(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASS", "caf\udce9")
    with pytest.raises(UsageError, match="'PASS' is not UTF-8") as caught:
        do(Host.open(sshd.but(keys=("/none",), password_env="PASS")))
    assert "caf" not in str(caught.value)
    for address in ("a..b", 70 * "a"):  # As HostName of ~/.ssh/config, which nobody checks.
        with pytest.raises(WorldError, match="cannot connect to"):
            do(Host.open(sshd.but(address=address)))


@pytest.mark.slow
def test_hosts_that_come_and_go_leave_no_thread_and_no_descriptor(sshd: Sshd) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd")) + len(os.listdir("/proc/self/task"))

    ran(sshd, "true")
    before = held()
    for _ in range(10):
        ran(sshd, "true")
    until = time.monotonic() + 10
    while held() > before and time.monotonic() < until:
        time.sleep(0.05)
    assert held() <= before


@pytest.mark.slow
def test_what_runs_when_its_host_is_closed_fails_at_once(sshd: Sshd) -> None:
    async def work() -> None:
        host = await Host.open(sshd.entry)
        channel = await host.channel("cat")
        receiving = asyncio.create_task(channel.receive())
        running = asyncio.create_task(host.run("sleep", "60"))
        await host.run("true")
        host.close()
        assert await receiving == b""
        for late in (running, host.run("true"), channel.send(b"x" * 5_000_000), channel.ended()):
            with pytest.raises(WorldError):
                await late
        channel.close()

    do(work())


def test_who_interrupts_us_does_not_end_our_proxy(tmp_path: Path) -> None:
    (tmp_path / "proxy.py").write_text("import os; print(os.getsid(0), flush=True)")
    proxy = shlex.join([sys.executable, str(tmp_path / "proxy.py")])
    with dial_socket(Entry("a", "a", "me", proxy=proxy), 1.0, 1.0) as connection:
        connection.settimeout(20)
        assert int(connection.recv(100)) != os.getsid(0)


@pytest.mark.parametrize("command", ["echo $((40 + 2)) 2>/dev/null", "echo 41 | tr 1 2"])
def test_a_proxy_command_is_the_shells_as_ssh_has_it(command: str) -> None:
    with dial_socket(Entry("a", "a", "me", proxy=command), 1.0, 1.0) as connection:
        connection.settimeout(20)
        assert connection.recv(100) == b"42\n"


@pytest.mark.slow
def test_a_host_behind_another_is_reached_by_the_users_proxy_command(sshd: Sshd) -> None:
    """The proxy is ssh itself, through the same server."""
    jump = f"ssh -F none -i {sshd.entry.keys[0]} -p {sshd.port} -o IdentitiesOnly=yes"
    jump += f" -o StrictHostKeyChecking=no -o UserKnownHostsFile={sshd.folder}/jump -q"
    proxy = f"{jump} -W 127.0.0.1:{sshd.port} {sshd.entry.user}@127.0.0.1"

    def proxies() -> int:
        found = 0
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # It ended meanwhile.
                found += f"{sshd.folder}/jump".encode() in (process / "cmdline").read_bytes()
        return found

    async def work() -> str:
        host = await Host.open(sshd.but(proxy=proxy))
        try:
            assert proxies() == 1
            return (await host.run("echo", "through")).text
        finally:
            host.close()

    assert do(work()) == "through"
    until = time.monotonic() + 10
    while proxies() and time.monotonic() < until:
        time.sleep(0.02)
    assert proxies() == 0
    with pytest.raises(WorldError, match="no SSH connection through its proxy no-such"):
        do(Host.open(sshd.but(proxy="no-such-program")))
