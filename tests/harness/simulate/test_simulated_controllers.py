"""Controllers in a simulated world: a catalog that survives them, alone and as three."""

import asyncio
from typing import Any

import pytest
from cluster_world import OPEN, ClusterWorld
from delphic.harness.targets.links import HEALED, cut, isolate
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.catalog_machine import CatalogMachine
from delphic.impl.cluster.commands import CommandError, Statement
from delphic.impl.cluster.operations import Operation, Scheme, mark_of
from delphic.impl.config import NODES_FILE
from delphic.impl.runtime import pause

DB = "dfs://db"
SCHEME = Scheme("HASH", "int64", (), 4)
SECRET = "initialAdminPassword=correct horse\n"


def create(operation: Operation, table: str = "") -> Statement:
    return Statement(operation, DB, table, SCHEME, b"schema", "k")


async def prepared(world: ClusterWorld) -> None:
    """A database and a table."""
    await world.ask("n1", "ddl", None, create(Operation.CREATE_DOMAIN), None)
    await world.ask("n1", "ddl", None, create(Operation.CREATE_PARTITIONED_TABLE, "t"), None)


async def begun(world: ClusterWorld, *keys: str, node: str = "n1") -> int:
    told = await world.ask(
        node, "txnBegin", None, DB, "t", "APPEND", keys, mark_of(SCHEME, "k"), None
    )
    tid: int = told["tid"]
    return tid


async def later(world: ClusterWorld, seconds: float) -> None:
    await pause(world.world.client_runtime().clock, seconds)


async def refused(call: Any) -> str:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value.name


@pytest.mark.parametrize("controllers", [("c1",), ("c1", "c2", "c3")])
def test_a_catalog_survives_a_kill_of_everybody(controllers: tuple[str, ...]) -> None:
    async def story(world: ClusterWorld) -> None:
        await prepared(world)
        tid = await begun(world, "0", "1")
        cid = await world.ask("n1", "txnCommit", tid, None)
        for alias in controllers:
            world.kill(alias)
            world.start(alias)
        assert await world.ask("n1", "txnOutcome", tid) == ["committed", cid]
        await world.ask("n1", "txnComplete", tid)
        seen = await world.ask("n2", "snapshot", None, DB, "t")
        assert (seen["cid"], seen["excluded"]) == (cid, [])
        assert seen["chunks"] == {"0": [1, "n1"], "1": [2, "n2"]}

    with ClusterWorld(1, controllers=controllers) as world:
        world.run(story(world))


def test_transactions_go_on_when_their_leader_is_killed_in_the_middle() -> None:
    async def story(world: ClusterWorld) -> None:
        await prepared(world)
        for number in range(6):
            tid = await begun(world, str(number % 4))
            leader = await world.leader()
            world.kill(leader)
            cid = await world.ask("n1", "txnCommit", tid, None)
            assert cid == number + 1
            await world.ask("n1", "txnComplete", tid)
            world.start(leader)
            await world.up(leader)
        seen = await world.ask("n2", "snapshot", None, DB, "t")
        assert (seen["cid"], seen["excluded"]) == (6, [])

    with ClusterWorld(2) as world:
        world.run(story(world))


def test_many_writers_through_fail_overs_get_cids_of_their_own() -> None:
    async def writer(world: ClusterWorld, node: str, key: str, cids: list[int]) -> None:
        for _ in range(10):
            tid = await begun(world, key, node=node)
            cids.append(await world.ask(node, "txnCommit", tid, None))
            await world.ask(node, "txnComplete", tid)

    async def story(world: ClusterWorld) -> None:
        await prepared(world)
        cids: list[int] = []
        async with asyncio.TaskGroup() as tasks:
            for key in "0123":
                tasks.create_task(writer(world, f"n{1 + int(key) % 2}", key, cids))
            for _ in range(3):
                await later(world, 0.1)
                leader = await world.leader()
                world.kill(leader)
                await later(world, 1.0)
                world.start(leader)
                await world.up(leader)
        assert sorted(cids) == list(range(1, 41))

    with ClusterWorld(3) as world:
        world.run(story(world))


def test_a_leader_that_is_cut_off_decides_nothing() -> None:
    async def story(world: ClusterWorld) -> None:
        await prepared(world)
        tid = await begun(world, "0")
        leader = await world.leader()
        world.world.net.set_links(cut(isolate([leader], world.aliases)))
        cid = await world.ask("n1", "txnCommit", tid, None)
        assert world.catalog(leader).transactions.outcome(tid) == ["open"]
        world.world.net.set_links(HEALED)
        await later(world, 2.0)
        assert world.catalog(leader).transactions.outcome(tid) == ["committed", cid]

    with ClusterWorld(4) as world:
        world.run(story(world))


def test_what_a_coordinator_leaves_undecided_is_aborted() -> None:
    async def story(world: ClusterWorld) -> None:
        await prepared(world)
        tid = await begun(world, "0", node="n2")
        world.kill("n2")
        await later(world, 15.0)
        assert await world.ask("n1", "txnOutcome", tid) == ["aborted"]
        assert await refused(world.ask("n1", "txnCommit", tid, None)) == "Aborted"

    with ClusterWorld(5) as world:
        world.run(story(world))


def test_a_data_node_that_is_configured_no_more_leaves_nothing_that_hangs() -> None:
    """Its chunks are lost with it, but whatever else there is goes on."""

    async def story(world: ClusterWorld) -> None:
        await prepared(world)
        gone = await begun(world, "0", "1", node="n2")
        for alias in world.aliases:
            world.kill(alias)
        lines = world.files[NODES_FILE].splitlines()
        world.files[NODES_FILE] = "\n".join(line for line in lines if ":n2," not in line)
        for alias in world.aliases[:-1]:
            world.start(alias)
        await later(world, 10.0)
        assert await world.ask("n1", "txnOutcome", gone) == ["aborted"]
        statement = create(Operation.DROP_TABLE, "t")
        await world.ask("n1", "ddl", None, statement, None)
        await later(world, 3.0)
        leader = await world.leader()
        assert world.catalog(leader).placement.dropped == {"n2": [2]}

    with ClusterWorld(9) as world:
        world.run(story(world))


def test_controllers_that_lag_far_behind_are_sent_the_catalog() -> None:
    async def story(world: ClusterWorld) -> None:
        await prepared(world)
        leader = await world.leader()
        behind = next(alias for alias in world.controllers if alias != leader)
        world.kill(behind)
        for number in range(60):
            tid = await begun(world, str(number % 4))
            await world.ask("n1", "txnCommit", tid, None)
            await world.ask("n1", "txnComplete", tid)
        await later(world, 3.0)
        world.start(behind)
        await later(world, 3.0)
        assert world.nodes[behind].groups[1].snapshots.installed_count == 1
        assert world.catalog(behind).dump() == world.catalog(leader).dump()
        world.kill(behind)
        world.start(behind)
        await later(world, 3.0)
        assert world.catalog(behind).dump() == world.catalog(leader).dump()

    often = "authentication=off\ndfsMetaPurgeInterval=1\n"
    with ClusterWorld(6, controller=often) as world:
        world.run(story(world))


def test_users_of_a_cluster_log_in_at_any_node() -> None:
    async def story(world: ClusterWorld) -> None:
        admin, bob = ("admin", "correct horse"), ("bob", "hunter2")
        await later(world, 3.0)
        await world.call("n1", "createUser", "bob", "hunter2", False, login=admin)
        await world.call("c1", "grant", "bob", "DB_READ", "*", login=admin)
        users = await world.call("n2", "getUserList", login=admin)
        assert [(user["user"], user["rights"]) for user in users] == [
            ("admin", {}),
            ("bob", {"DB_READ": ["*"]}),
        ]
        for alias in world.aliases:
            assert await world.call(alias, "getControllerAlias", login=bob) in world.controllers
        assert await refused(world.call("n1", "getControllerAlias")) == "NotAuthenticated"
        wrong = world.call("n1", "nodeStatus", login=("bob", "hunter3"))
        assert await refused(wrong) == "NotAuthenticated"
        # The login goes along with a call at another node.
        asked = ("c2", "createUser", ("eve", "x", True))
        assert await refused(world.call("n1", "rpc", *asked, login=bob)) == "NotAuthorized"
        assert await world.call("n1", "rpc", *asked, login=admin) is None
        await world.call("c2", "changePwd", "hunter2", "hunter4", login=bob)
        assert (await world.call("n2", "nodeStatus", login=("bob", "hunter4")))["alias"] == "n2"
        inside = [await world.connect(alias) for alias in world.aliases]
        for connection in inside:
            await connection.call("login", ("bob", "hunter4"), timeout_s=20)
        other = await world.connect("n2")
        await other.call("login", admin, timeout_s=20)
        await world.call("n1", "deleteUser", "bob", login=admin)
        for connection in inside:
            assert (
                await refused(connection.call("getControllerAlias", timeout_s=5)) == "Disconnected"
            )
            connection.close()
        assert await other.call("getControllerAlias", timeout_s=5) in world.controllers
        other.close()

    with ClusterWorld(7, cluster="", controller=SECRET) as world:
        world.run(story(world))


def test_an_answer_that_is_too_long_for_a_peer_is_refused_and_not_waited_for() -> None:
    async def story(world: ClusterWorld) -> None:
        node = world.nodes["n2"]
        node.offer({"verbose": (tuple[()], lambda call: call.answer(bytes(5 << 20)))})
        assert await refused(world.call("n1", "rpc", "n2", "verbose", ())) == "FrameTooLarge"
        assert (await world.call("n1", "rpc", "n2", "nodeStatus", ()))["alias"] == "n2"

    small = f"{OPEN}maxFrameSize={4 << 20}\n"
    with ClusterWorld(10, cluster=small, controller=small) as world:
        world.run(world.up("n2"))
        world.run(story(world))


def test_calls_reach_other_nodes_and_all_data_nodes() -> None:
    async def story(world: ClusterWorld) -> None:
        told = await world.call("n2", "pnodeRun", "nodeStatus", ())
        assert [(row["node"], row["alias"]) for row in told] == [("n1", "n1"), ("n2", "n2")]
        leader = await world.call("n1", "getControllerAlias")
        status = await world.call("n1", "rpc", leader, "raftStatus", (1,))
        assert (status["alias"], status["role"]) == (leader, "leader")
        assert await refused(world.call("n1", "rpc", "x", "nodeStatus", ())) == "BadRequest"
        assert await refused(world.call("n1", "rpc", "n2", "logout2", ())) == "BadRequest"
        assert await refused(world.call("n1", "rpc", "n2", "login", ("a", "b"))) == "BadRequest"
        assert await refused(world.call("c1", "pnodeRun", "nonsense", ())) == "BadRequest"
        # One that may pass calls on would make 3^n of n times three nodes.
        for onward in (("rpc", ("n2", "nodeStatus", ())), ("pnodeRun", ("nodeStatus", ()))):
            assert await refused(world.call("n1", "pnodeRun", *onward)) == "BadRequest"
            assert await refused(world.call("n1", "rpc", "n2", *onward)) == "BadRequest"
        world.kill("n2")
        await later(world, 1.0)
        assert await refused(world.call("n1", "rpc", "n2", "nodeStatus", ())) == "Disconnected"

    with ClusterWorld(8) as world:
        world.run(story(world))


def test_who_comes_back_after_a_power_cut_is_answered_at_once() -> None:
    """Links that have been idle since then are found to lead to nobody before they are needed."""

    async def story(world: ClusterWorld) -> None:
        await world.call("n1", "rpc", "n2", "nodeStatus", ())
        world.world.cut_power(["n1"])
        world.kill("n1")
        world.start("n1")
        await world.up("n1")
        await later(world, 0.2)
        clock = world.world.client_runtime().clock
        began_ns = clock.now_ns()
        assert (await world.call("n1", "rpc", "n2", "nodeStatus", ()))["alias"] == "n2"
        assert clock.now_ns() - began_ns < 1e9

    with ClusterWorld(11) as world:
        world.run(story(world))


def test_a_controller_that_cannot_execute_an_entry_ends_and_says_that_it_is_the_catalog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def apply(*_: Any) -> Any:
        raise CommandError("entry 7 is no command")

    async def story(world: ClusterWorld) -> list[tuple[str, str]]:
        await prepared(world)
        monkeypatch.setattr(CatalogMachine, "apply", apply)
        with pytest.raises(RequestError):
            await world.ask("n1", "ddl", None, create(Operation.DROP_DB), None)
        deaths = list(world.world.deaths)
        world.world.deaths.clear()
        return deaths

    with ClusterWorld(1, controllers=("c1",)) as world:
        ((alias, how),) = world.run(story(world))
    assert alias == "c1"
    assert "group 1: catalog: entry 7 is no command" in how
