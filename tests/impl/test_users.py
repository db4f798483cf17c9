"""Who may call: users, passwords, sessions, at a node over real sockets."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from delphic.impl.config import ConfigError
from delphic.impl.wire import CLIENT, MAGIC, VERSION, Hello, Request, Welcome, encode
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow

SECRET = "initialAdminPassword=correct horse\n"
ADMIN = {"user": "admin", "password": "correct horse"}


async def failure(call: Any) -> tuple[str, bool]:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value.name, caught.value.definite


@contextlib.asynccontextmanager
async def opened(homes: Homes, **login: Any) -> AsyncIterator[Connection]:
    connection = await Connection.open("127.0.0.1", homes.ports["n1"], **login)
    try:
        yield connection
    finally:
        connection.close()


def test_who_has_logged_out_may_send_no_more_than_any_stranger(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n1")
            for leave in (("logout", ()), ("login", ("admin", "wrong"))):
                async with opened(homes, **ADMIN) as connection:
                    long = connection.call("nodeStatus", ("x" * 5000,), timeout_s=5)
                    assert (await failure(long))[0] == "BadRequest"
                    with contextlib.suppress(RequestError):
                        await connection.call(*leave, timeout_s=5)
                    refused = await failure(connection.call("nodeStatus", timeout_s=5))
                    assert refused == ("NotAuthenticated", True)
                    long = connection.call("nodeStatus", ("x" * 5000,), timeout_s=5)
                    assert (await failure(long))[0] == "Disconnected"

    with Homes(tmp_path, extra=SECRET) as homes:
        run(scenario(homes))


def test_who_has_not_logged_in_may_call_nothing(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n1")
            async with opened(homes) as connection:
                for function in ("nodeStatus", "tableInsert", "getUserList", "nonsense", "logout"):
                    refused = await failure(connection.call(function, timeout_s=5))
                    assert refused == ("NotAuthenticated", True)
                await connection.call("login", ("admin", "correct horse"), timeout_s=5)
                assert (await connection.call("nodeStatus", timeout_s=5))["alias"] == "n1"
                await connection.call("logout", timeout_s=5)
                refused = await failure(connection.call("nodeStatus", timeout_s=5))
                assert refused == ("NotAuthenticated", True)

    with Homes(tmp_path, extra=SECRET) as homes:
        run(scenario(homes))


def test_a_session_logs_in_wherever_it_goes(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session(**ADMIN)
            await session.create_table(GROUP, "t", SCHEMA)
            assert await session.append("t", rows(1)) == 0
            await members.stop(await functions.get_streaming_leader(session, GROUP))
            assert await session.append("t", rows(2)) == 1
            assert ids(await session.read("t", 0)) == [1, 2]
            with contextlib.closing(Session(homes.sites, user="admin", password="no")) as other:
                assert await failure(other.read("t", 0)) == ("NotAuthenticated", True)

    with Homes(tmp_path, extra=SECRET) as homes:
        run(scenario(homes))


def test_three_wrong_passwords_end_a_connection_also_if_they_come_at_once(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n1")
            async with opened(homes) as connection:
                tries = [
                    connection.call("login", (user, f"guess {number}"), timeout_s=5)
                    for number, user in enumerate(("admin", "nobody", "admin", "admin", "admin"))
                ]
                outcomes = await asyncio.gather(*tries, return_exceptions=True)
                names = [outcome.name for outcome in outcomes if isinstance(outcome, RequestError)]
                assert len(names) == 5
                assert set(names) <= {"NotAuthenticated", "Disconnected"}
                assert not connection.is_open
            async with opened(homes, **ADMIN) as connection:
                assert await functions.get_user_list(connection) == [
                    {"user": "admin", "admin": True}
                ]

    with Homes(tmp_path, extra=SECRET) as homes:
        run(scenario(homes))


def test_users_are_made_changed_and_deleted_and_outlive_a_restart(tmp_path: Path) -> None:
    ann = {"user": "ann", "password": "grün 42"}

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n1")
            async with opened(homes, **ADMIN) as admin:
                await functions.create_user(admin, "ann", "grün 42")
                assert await failure(functions.create_user(admin, "ann", "x")) == (
                    "BadRequest",
                    True,
                )
                for name, password in (("a b", "x"), ("", "x"), ("bob", ""), ("bob", "x" * 300)):
                    made = functions.create_user(admin, name, password)
                    assert await failure(made) == ("BadRequest", True)
                assert await failure(functions.delete_user(admin, "admin")) == ("BadRequest", True)
        async with Members(homes) as members:
            await members.start("n1")
            async with opened(homes, **ann) as connection:
                for call in (
                    functions.create_user(connection, "eve", "x"),
                    functions.delete_user(connection, "admin"),
                    functions.get_user_list(connection),
                ):
                    assert await failure(call) == ("NotAuthorized", True)
                wrong = functions.change_pwd(connection, "wrong", "new")
                assert await failure(wrong) == ("NotAuthenticated", True)
                await functions.change_pwd(connection, "grün 42", "new")
                assert await failure(Connection.open("127.0.0.1", homes.ports["n1"], **ann)) == (
                    "NotAuthenticated",
                    True,
                )
                async with opened(homes, **ADMIN) as admin:
                    await functions.delete_user(admin, "ann")
                ended = await failure(connection.call("nodeStatus", timeout_s=5))
                assert ended[0] == "Disconnected"

    with Homes(tmp_path, extra=SECRET) as homes:
        run(scenario(homes))


def test_passwords_are_neither_on_disk_nor_in_logs_nor_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "delphic")

    async def scenario(homes: Homes) -> None:
        config = homes.config("n1")
        assert "correct horse" not in repr(config)
        async with Members(homes) as members:
            await members.start("n1")
            async with opened(homes, **ADMIN) as connection:
                assert "correct horse" not in repr(connection)
            assert await failure(opened(homes, user="admin", password="wr0ng").__aenter__())
        assert "admin logged in" in caplog.text
        assert "wrong password for admin" in caplog.text
        assert "correct horse" not in caplog.text
        assert "wr0ng" not in caplog.text

    with Homes(tmp_path, extra=SECRET) as homes:
        run(scenario(homes))
        file = Path(homes.config("n1").users_file)
        assert '"admin"' in file.read_text()
        assert "correct horse" not in file.read_text()
        assert file.stat().st_mode & 0o077 == 0


def test_a_node_that_nobody_could_log_in_to_does_not_start(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            with pytest.raises(ConfigError, match="there is no user yet; write initialAdminPassw"):
                await members.start("n1")

    async def damaged(homes: Homes) -> None:
        async with Members(homes) as members:
            with pytest.raises(ConfigError, match="is no file of users"):
                await members.start("n1")

    with Homes(tmp_path, extra="authentication=on\n#initialAdmin\n") as homes:
        run(scenario(homes))
        Path(homes.config("n1").users_file).write_text("{junk")
        run(damaged(homes))


def test_a_stranger_may_not_make_a_node_keep_much(tmp_path: Path) -> None:
    hello = b"".join(encode(Hello(MAGIC, VERSION, CLIENT, "", ""), 1 << 20))
    large = b"".join(encode(Request(1, "login", ("admin", "x" * 5000)), 1 << 20))

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n1")
            reader, writer = await asyncio.open_connection("127.0.0.1", homes.ports["n1"])
            writer.write(hello + large[:200])
            answer = await asyncio.wait_for(reader.read(), 10)
            config = members.node("n1").config
            welcome = Welcome(VERSION, "n1", config.cluster_id, config.frame_bytes_max)
            assert answer == b"".join(encode(welcome, 1 << 20))
            writer.close()

    with Homes(tmp_path, extra=SECRET) as homes:
        run(scenario(homes))
