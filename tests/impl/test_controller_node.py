"""Controllers as processes, over real sockets and disks."""

import contextlib
import signal
from pathlib import Path
from typing import Any

import pytest
from delphic.impl.client.connection import Connection
from delphic.impl.client.session import Session
from members import Homes, run
from test_node import Processes, last_line, node, reachable

pytestmark = pytest.mark.slow

SECRET = "initialAdminPassword=correct horse\n"
ADMIN = {"user": "admin", "password": "correct horse"}


async def call(homes: Homes, alias: str, function: str, *args: Any, **login: Any) -> Any:
    """What a node answers a client that logs in, as soon as there is a leader."""
    with contextlib.closing(
        Session([f"127.0.0.1:{homes.ports[alias]}"], attempt_s=10, **login)
    ) as session:
        return await session.call(function, args, timeout_s=20)


@pytest.mark.parametrize("controllers", [("c1",), ("c1", "c2", "c3")])
def test_what_controllers_have_acknowledged_survives_a_kill(
    tmp_path: Path, controllers: tuple[str, ...]
) -> None:
    async def scenario(homes: Homes, processes: Processes) -> None:
        for alias in ("n1", *controllers):
            await reachable(homes.ports[alias])
        await call(homes, "n1", "createUser", "bob", "hunter2", False, **ADMIN)
        await call(homes, controllers[0], "grant", "bob", "DB_READ", "dfs://x", **ADMIN)
        for alias in controllers:
            assert processes.signal(alias, signal.SIGKILL) == -signal.SIGKILL
        processes.start(*controllers)
        for alias in controllers:
            await reachable(homes.ports[alias])
        bob = {"user": "bob", "password": "hunter2"}
        assert await call(homes, "n1", "getControllerAlias", **bob) in controllers
        users = await call(homes, "n1", "getUserList", **ADMIN)
        assert {"user": "bob", "admin": False, "rights": {"DB_READ": ["dfs://x"]}} in users
        for alias in controllers:
            assert processes.signal(alias, signal.SIGTERM) == 0
            assert last_line(processes.log(alias)).endswith(f"{alias} stopped")
            assert "bug" not in processes.log(alias)

    with (
        Homes(tmp_path, controllers=controllers, controller=SECRET) as homes,
        Processes(homes) as processes,
    ):
        processes.start("n1", *controllers)
        run(scenario(homes, processes))


def test_a_controller_refuses_a_damaged_catalog(tmp_path: Path) -> None:
    with Homes(tmp_path, controllers=("c1",), controller=SECRET) as homes:
        folder = homes.home("c1") / "dfsMeta" / "catalog"
        folder.mkdir(parents=True)
        (folder / "catalog").write_bytes(b"nonsense")
        ended = node(homes.home("c1"), alias="c1")
    assert ended.returncode == 4
    assert last_line(ended.stderr).endswith("catalog/catalog: the checksum does not fit")


def test_peers_of_another_cluster_are_not_welcome(tmp_path: Path) -> None:
    async def scenario(homes: Homes, processes: Processes) -> None:
        await reachable(homes.ports["c1"])
        connection = await Connection.open("127.0.0.1", homes.ports["c1"], **ADMIN)
        with contextlib.closing(connection):
            status = await connection.call("nodeStatus", timeout_s=5)
        assert status["peers_up"] == []

    with Homes(tmp_path, controllers=("c1",), controller=SECRET) as homes:
        # This data node believes that there is another controller.
        nodes = homes.home("n1") / "config" / "cluster.nodes"
        nodes.write_text(nodes.read_text() + "127.0.0.1:1:c9,controller\n")
        with Processes(homes) as processes:
            processes.start("n1", "c1")
            run(scenario(homes, processes))
            assert "configured for another cluster" in processes.log("n1")
