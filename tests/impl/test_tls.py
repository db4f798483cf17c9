"""TLS between members and with clients: nobody reads along, and nobody pretends to be a member."""

import asyncio
import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from delphic.harness.shell.sites import Sites
from delphic.harness.up.leaders import Leaders
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from delphic.impl.config import ConfigError
from delphic.impl.runtime import Tls
from delphic.impl.runtime_asyncio import loop_client_runtime
from delphic.impl.wire import CLIENT, MAGIC, PEER, VERSION, Channel, Frame, Hello
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run
from test_node import Processes

pytestmark = pytest.mark.slow


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


@pytest.fixture
def homes(tmp_path: Path, authority: Authority) -> Iterator[Homes]:
    """Members with TLS and a user."""
    lines = ["initialAdminPassword=123456", f"tlsAuthority={authority.path}"]
    for alias in ALIASES:
        own = authority.issue(alias)
        lines += [f"{alias}.tlsCertificate={own.certificate}", f"{alias}.tlsKey={own.key}"]
    with Homes(tmp_path, extra="\n".join(lines) + "\n") as made:
        yield made


async def failure(call: Any) -> str:
    with pytest.raises(RequestError) as caught:
        await call
    assert caught.value.definite
    return str(caught.value)


def test_three_processes_elect_append_and_read_with_tls_and_login(
    homes: Homes, authority: Authority
) -> None:
    async def scenario() -> None:
        access: dict[str, Any] = {"user": "admin", "password": "123456"}
        believed = Tls(str(authority.path))
        with contextlib.closing(
            Session(homes.sites, attempt_s=1.0, tls=believed, **access)
        ) as session:
            await session.create_table(GROUP, "t", SCHEMA)
            for i in range(10):
                assert await session.append("t", rows(i)) == i
            assert ids(await session.read("t", 0)) == list(range(10))
            leader = await functions.get_streaming_leader(session, GROUP)
            assert leader in ALIASES
            assert processes.signal(leader, signal.SIGKILL) == -signal.SIGKILL
            assert ids(await session.read("t", 0)) == list(range(10))
            assert await session.append("t", rows(10)) == 10

    with Processes(homes) as processes:
        processes.start(*ALIASES)
        run(scenario())
        assert "bug" not in "".join(processes.log(alias) for alias in ALIASES)


def test_tools_find_their_way_in_a_closed_cluster(homes: Homes, authority: Authority) -> None:
    """What `delphic up` and `delphic shell` are made of."""
    access: dict[str, Any] = {"user": "admin", "password": "123456"}

    async def scenario() -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            leaders = Leaders({alias: homes.config(alias) for alias in ALIASES}, {GROUP: ALIASES})
            sites = Sites(homes.sites[:1], 5.0, tls=Tls(str(authority.path)), **access)
            async with asyncio.timeout(10):
                while (await leaders.ask())[GROUP] is None:
                    await sites.open()
                    assert sites.aliases == list(ALIASES)
            leaders.close()
            sites.close()

    run(scenario())


def test_a_plain_client_at_a_tls_listener_is_told_so(homes: Homes) -> None:
    async def scenario() -> None:
        async with Members(homes) as members:
            await members.start("n1")
            text = await failure(Connection.open("127.0.0.1", homes.ports["n1"], timeout_s=5))
            assert re.search("speaks TLS here, and this one does not|closed", text)

    run(scenario())


def test_a_tls_client_at_a_plain_listener_is_told_so(tmp_path: Path, authority: Authority) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n1")
            opening = Connection.open(
                "127.0.0.1", homes.ports["n1"], timeout_s=5, tls=Tls(str(authority.path))
            )
            assert "does the other side speak it?" in await failure(opening)

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_client_believes_only_its_authority_and_the_right_name(
    homes: Homes, tmp_path: Path, authority: Authority
) -> None:
    other = Authority(tmp_path / "other", "other")

    async def scenario() -> None:
        async with Members(homes) as members:
            await members.start("n1")
            port = homes.ports["n1"]
            for tls in (Tls(str(other.path)), Tls(str(authority.path), name="n2")):
                opening = Connection.open("127.0.0.1", port, timeout_s=5, tls=tls)
                assert "its certificate is not accepted" in await failure(opening)
            opening = Connection.open("127.0.0.1", port, tls=Tls(str(tmp_path / "none.pem")))
            assert "none.pem: No such file" in await failure(opening)
            right = Tls(str(authority.path), name="n1")
            connection = await Connection.open(
                "127.0.0.1", port, tls=right, user="admin", password="123456"
            )
            assert (await connection.call("nodeStatus", timeout_s=5))["alias"] == "n1"
            connection.close()

    run(scenario())


class Ear:
    """Hears how a connection of a would-be peer ends."""

    def __init__(self) -> None:
        self.heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def received(self, frame: Frame) -> None:
        self.heard.set_result(type(frame).__name__)

    def blocked(self) -> None:
        """Never happens."""

    writable = blocked

    def closed(self, reason: str) -> None:
        if not self.heard.done():
            self.heard.set_result("ended")


def test_only_who_bears_a_members_certificate_is_that_member(
    homes: Homes, tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path / "other", "other").issue("n2")
    strangers = Tls(str(authority.path), stranger.certificate, stranger.key, "n1")

    async def greet(hello: Hello, tls: Tls) -> str:
        ear = Ear()
        channel = Channel(ear, limit=1 << 20, first_limit=1 << 20)
        network = loop_client_runtime().network
        try:
            await network.dial(
                "127.0.0.1", homes.ports["n1"], channel, timeout_s=5, stall_s=0, tls=tls
            )
            channel.send(hello)
            return await asyncio.wait_for(ear.heard, 5)
        except OSError:
            return "ended"
        finally:
            channel.abort("enough")

    async def scenario() -> None:
        async with Members(homes) as members:
            await members.start("n1")
            cluster = members.node("n1").cluster_id
            as_n2 = Hello(MAGIC, VERSION, PEER, "n2", cluster)
            none = Tls(str(authority.path))
            n3 = authority.issue("n3")
            n2 = authority.issue("n2")
            assert await greet(Hello(MAGIC, VERSION, CLIENT, "", ""), none) == "Welcome"
            assert await greet(as_n2, none) == "ended"
            assert await greet(as_n2, n3) == "ended"
            assert await greet(as_n2, strangers) == "ended"
            assert await greet(as_n2, n2) == "Welcome"

    run(scenario())


def test_a_third_of_tls_is_refused(tmp_path: Path) -> None:
    with (
        Homes(tmp_path, extra="tlsKey=x\n") as homes,
        pytest.raises(ConfigError, match="TLS needs tlsCertificate, tlsKey, tlsAuthority"),
    ):
        homes.config("n1")


def test_files_that_are_no_good_end_a_node_with_their_names(tmp_path: Path) -> None:
    lines = "tlsAuthority=a.pem\ntlsCertificate=c.pem\ntlsKey=k.pem\n"

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            with pytest.raises(OSError, match=r"TLS: .*a\.pem: No such file"):
                await members.start("n1")

    with Homes(tmp_path, extra=lines) as homes:
        run(scenario(homes))
