"""What a node lets through that it should not: nothing, but by a seeded bug of the door."""

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from delphic.impl.bugs import parse
from delphic.impl.bugs_of_users import DOOR_OPEN, LOGIN_SURVIVES, USER_BUGS
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import NOT_AUTHENTICATED, RequestError
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow

SECRET = "initialAdminPassword=correct horse\n"
ADMIN = {"user": "admin", "password": "correct horse"}


async def is_refused(call: Awaitable[Any]) -> bool:
    try:
        await call
    except RequestError as error:
        return error.definite and error.name == NOT_AUTHENTICATED
    return False


async def trespasses(homes: Homes, members: Members) -> list[str]:
    """Everything that somebody without a right did."""
    found: list[str] = []
    session = members.session(**ADMIN)
    await session.create_table(GROUP, "t", SCHEMA)
    await session.append("t", rows(1))
    port = homes.ports[await functions.get_streaming_leader(session, GROUP)]
    stranger = await Connection.open("127.0.0.1", port)
    impostor = await Connection.open("127.0.0.1", port, **ADMIN)
    try:
        for name, call in {
            "stranger reads": functions.read(stranger, "t", 0),
            "stranger writes": functions.append(stranger, "t", rows(2)),
            "stranger lists users": functions.get_user_list(stranger),
            "login with a wrong password": impostor.call("login", ("ann", "x"), timeout_s=10),
            "impostor writes": functions.append(impostor, "t", rows(3)),
            "impostor lists users": functions.get_user_list(impostor),
        }.items():
            if not await is_refused(call):
                found.append(name)
    finally:
        stranger.close()
        impostor.close()
    written = ids(await session.read("t", 0))
    assert [
        row for row, name in ((2, "stranger writes"), (3, "impostor writes")) if name in found
    ] == written[1:], "who was refused has written nothing"
    return found


@pytest.mark.parametrize(
    ("bugs", "expected"),
    [
        ((), []),
        ((DOOR_OPEN,), ["stranger reads", "stranger writes", "impostor writes"]),
        ((LOGIN_SURVIVES,), ["impostor writes", "impostor lists users"]),
    ],
)
def test_a_node_lets_nobody_through_but_by_its_seeded_bugs(
    tmp_path: Path, bugs: tuple[str, ...], expected: list[str]
) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes, seeded_bugs=parse(bugs)) as members:
            await members.start(*ALIASES)
            assert await trespasses(homes, members) == expected

    with Homes(tmp_path, extra=SECRET) as homes:
        run(scenario(homes))


@pytest.mark.parametrize("name", USER_BUGS)
def test_each_bug_of_the_door_is_named_and_told(name: str) -> None:
    bug = USER_BUGS[name]
    assert (bug.name, parse([name])) == (name, {name})
    assert bug.mistake.endswith(".")
    assert bug.source
