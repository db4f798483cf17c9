"""Whatever a word, a path, a password or a value of the inventory holds: it cannot run anything."""

import asyncio
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from delphic.harness.errors import DelphicError, UsageError, WorldError
from delphic.harness.hosts.connection import Host
from delphic.harness.hosts.inventory import load
from delphic.harness.lab import host as one_host
from delphic.harness.lab import lab
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

Sshd = Any
"""The server of conftest.py."""

CANARY = "canary-of-the-hostile"
"""A file of this name, anywhere that a shell of ours might stand, means that something ran."""

PLACE = Path("/tmp") / f"{CANARY}-{os.getpid()}"
RUNS = f"touch {PLACE}"

FRAGMENTS = (
    *(f"$({RUNS})", f"`{RUNS}`", f";{RUNS};", f"\n{RUNS}\n", f"|{RUNS}", f"&{RUNS}&", f"||{RUNS}#"),
    *(f"';{RUNS};'", f'";{RUNS};"', f"\\';{RUNS};", f"'\"'\"';{RUNS};", f"$'\\n{RUNS}\\n'"),
    *(f"-oProxyCommand={RUNS}", f"--rsyncable={RUNS}", f"> {PLACE}", f">>{PLACE} <", "<<EOF\n"),
    *(f"${{IFS:=$({RUNS})}}", "$((1", f"a[$({RUNS})]=1", f"A={PLACE}", "LD_PRELOAD=x", "PATH=."),
    *("-", "--", "-n", "-rf", "-c", "--help", "~", "~root", "*", "?[a]", "{a,b}", "!!", "!x", "#"),
    *(
        "'",
        '"',
        "\\",
        "\\\\n",
        " ",
        "  ",
        "\t",
        "\r",
        "\n",
        "\x1b[2J",
        "\x7f",
        "%s",
        "%n",
        "=",
        "é",
    ),
    *(
        "\U0001f600",
        "\u2028",
        "\udcff",
        "if",
        "exec",
        "eval",
        "time",
        "!",
        ".",
        "{",
        "(",
        "a" * 150,
    ),
)

hostile = st.lists(
    st.sampled_from(FRAGMENTS) | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    max_size=4,
).map("".join)

names = hostile.filter(
    lambda name: name not in ("", ".", "..") and len(os.fsencode(name)) < 200
).map(lambda name: name.replace("/", "\u2044"))

lines = hostile.filter(lambda text: text and "\n" not in text and "\udcff" not in text)

examples = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate,),  # Against a real server shrinking takes long, and says little more.
)

Do = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def do() -> Iterator[Do]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def host(sshd: Sshd, do: Do) -> Iterator[Host]:
    opened = do(Host.open(sshd.entry))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def nothing_ran() -> Iterator[None]:
    assert not PLACE.exists()
    yield
    assert not PLACE.exists()


def test_the_canary_sings_where_a_shell_reads_it(host: Host, do: Do) -> None:
    """Else nothing here would prove anything."""
    for fragment in FRAGMENTS[:4]:
        do(host.run("sh", "-c", f"true {fragment}"))
        assert PLACE.exists()
        PLACE.unlink()


@examples
@given(st.lists(hostile, min_size=1, max_size=5))
def test_words_arrive_as_they_were_said(host: Host, do: Do, words: list[str]) -> None:
    async def said() -> bytes:
        ran = await host.must("printf", "%s\\0", *words)
        channel = await host.channel("printf", "%s\\0", *words)
        try:
            parts = b""
            while part := await channel.receive():
                parts += part
        finally:
            channel.close()
        assert parts == ran.out
        return ran.out

    expected = [word.encode(errors="surrogateescape") for word in words]
    assert do(said()) == b"".join(word + b"\0" for word in expected)
    assert not PLACE.exists()


@examples
@given(st.lists(hostile.filter(lambda word: "/" not in word), min_size=1, max_size=3))
def test_a_first_word_is_a_command_or_nothing(host: Host, do: Do, words: list[str]) -> None:
    word = words[0] + CANARY
    assert do(host.run(word, *words[1:])).code in (126, 127)
    if word.startswith("-"):
        with pytest.raises(UsageError, match="no command is called"):
            do(host.channel(word, *words[1:]))
        return
    channel = do(host.channel(word, *words[1:]))
    try:
        assert do(channel.receive()) == b""
        assert do(channel.ended())[0] in (126, 127)
    finally:
        channel.close()
    assert not PLACE.exists()


@examples
@given(st.lists(names, min_size=1, max_size=3), hostile)
def test_files_have_the_names_that_were_said(
    tmp_path_factory: pytest.TempPathFactory, host: Host, do: Do, steps: list[str], content: str
) -> None:
    top = tmp_path_factory.mktemp("files")
    data = content.encode(errors="surrogateescape")
    remote = top.joinpath("remote", *steps)

    async def there_and_back() -> None:
        assert await host.put(data, str(remote))
        assert not await host.put(data, str(remote))
        await host.get(str(remote), top / "local")
        await host.get(str(top / "remote"), top / "folder")

    do(there_and_back())
    assert remote.read_bytes() == data
    assert (top / "local").read_bytes() == data
    assert top.joinpath("folder", *steps).read_bytes() == data
    assert sum(path.is_file() for path in top.rglob("*")) == 3
    assert not PLACE.exists()


@examples
@given(hostile)
def test_a_path_that_begins_with_a_dash_is_a_path(host: Host, do: Do, text: str) -> None:
    """Relative paths begin where the login does: the file must not be taken for an option."""
    name = f"-{CANARY}-{abs(hash(text)) % 10**6}"

    async def there_and_gone() -> bytes:
        assert await host.put(text.encode(errors="surrogateescape"), name)
        try:
            return (await host.must("cat", "--", name)).out
        finally:
            await host.must("rm", "--", name)

    assert do(there_and_gone()) == text.encode(errors="surrogateescape")


@pytest.mark.parametrize("bad", ["a\0b", "\0", "\ud800"])
def test_what_no_command_can_hold_is_refused(host: Host, do: Do, tmp_path: Path, bad: str) -> None:
    for refused in (
        host.run("echo", bad),
        host.run(bad),
        host.channel("echo", bad),
        host.put(b"", bad),
        host.get(bad, tmp_path / "local"),
    ):
        with pytest.raises(UsageError):
            do(refused)


FIELDS = ("name", "address", "user", "key", "directory", "python", "known_hosts", "cache")


@examples
@given(st.dictionaries(st.sampled_from(FIELDS), hostile, min_size=1), st.booleans())
def test_an_inventory_cannot_run_anything(
    tmp_path_factory: pytest.TempPathFactory,
    sshd: Sshd,
    do: Do,
    values: dict[str, str],
    through_the_environment: bool,
) -> None:
    """It is refused, or leads to no host, or to the host, with its values as they were said."""
    folder = tmp_path_factory.mktemp("inventory")
    entry = sshd.entry
    said: dict[str, Any] = {
        "name": "a",
        "address": entry.address,
        "port": entry.port,
        "user": entry.user,
        "key": entry.keys[0],
        "host_key": sshd.host_key,
        "python": "python3",
        **values,
    }
    encodable = {k: v for k, v in values.items() if "\udcff" not in v}
    refused: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        if through_the_environment:
            for field, value in values.items():
                patch.setenv(f"VALUE_OF_{field}", value)
                said[field] = f"${{VALUE_OF_{field}}}"
        text = yaml.safe_dump({"hosts": [said]}, allow_unicode=True)
        (folder / "hosts.yaml").write_bytes(text.encode(errors="surrogateescape"))
        try:
            (read,) = load(folder / "hosts.yaml", folder / "none").hosts
            for field in {"user", "directory", "python", "cache"} & set(encodable):
                assert getattr(read, field) == encodable[field]
            if "address" not in values:  # A name would be looked up on the network.
                opened = do(Host.open(read, patience_s=0))
                try:
                    do(opened.run(read.python, "-c", "pass"))
                    do(opened.run("ls", read.directory))
                finally:
                    opened.close()
        except DelphicError as error:
            refused.append(str(error))
    assert not PLACE.exists()


@pytest.fixture(scope="module")
def made(
    require: Callable[[object, str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[lab.Lab]:
    """Hosts whose accounts may be changed; two of the three do nothing here."""
    reason = lab.hindrance()
    require(reason is None, reason or "")
    for tool in ("sudo", "openssl"):
        require(shutil.which(tool), f"there is no {tool}: apt-get install {tool}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DELPHIC_STATE", str(tmp_path_factory.mktemp("state")))
        config = one_host.SSHD_CONFIG.replace("PasswordAuthentication no", "")
        patch.setattr(one_host, "SSHD_CONFIG", config)
        up = lab.up(3, sudo=True)
        try:
            yield up
        finally:
            lab.down(up)


SET_PASSWORD = """
set -eu
IFS= read -r hash
echo "operator:$hash" | chpasswd -e
echo 'operator ALL=(ALL) ALL' > /etc/sudoers.d/operator
"""


@settings(examples, max_examples=10)
@given(lines.filter(lambda text: len(text.encode()) < 200))
def test_any_password_logs_in_and_becomes_root_and_does_nothing_else(
    made: lab.Lab, do: Do, password: str
) -> None:
    root = made.inventory.hosts[0]
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"],
        input=password.encode(),
        capture_output=True,
        check=True,
    ).stdout

    async def change() -> None:
        opened = await Host.open(dataclasses.replace(root, user="root", sudo=False))
        await opened.must("sh", "-c", SET_PASSWORD, input=hashed)
        opened.close()

    do(change())
    secret = dataclasses.replace(
        root, keys=("/none",), agent=False, password_env="P", sudo_password_env="P"
    )

    async def use() -> None:
        opened = await Host.open(secret)
        try:
            assert (await opened.must("id", "-u")).text == "4242"
            if "\r" in password:
                with pytest.raises(WorldError, match="is not one line"):
                    await opened.run("id", sudo=True)
                return
            for data in (b"", b"in\0put\n" * 3):
                ran = await opened.must("sh", "-c", "id -u; cat", input=data, sudo=True)
                assert ran.out == b"0\n" + data
        finally:
            opened.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("P", password)
        do(use())
        patch.setenv("P", password + "x")
        with pytest.raises(WorldError, match="cannot log in"):
            do(Host.open(secret))
    assert not PLACE.exists()
    assert not (made.files("h1") / "tmp" / PLACE.name).exists()
