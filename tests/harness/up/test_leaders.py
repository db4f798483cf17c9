"""Who leads, asked of nodes that do not all let us in."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from delphic.harness.up import leaders
from delphic.harness.up.directory import create, understood
from delphic.harness.up.leaders import Leader, Leaders
from delphic.impl.client.errors import RequestError


class Node:
    """A connection to a node whose password is `password`; its status is `told`."""

    logins = 0

    def __init__(self, alias: str, password: str, told: dict[str, Any]) -> None:
        self.alias, self.password, self.told = alias, password, told
        self.is_open, self.entered = True, False
        self.failure: RequestError | None = None

    async def call(self, function: str, args: tuple[Any, ...], *, timeout_s: float) -> Any:
        if function == "login":
            Node.logins += 1
            if self.failure is not None:
                raise self.failure
            if args[1] != self.password:
                raise RequestError("NotAuthenticated", True, "user or password is wrong")
            self.entered = True
            return None
        if not self.entered:
            raise RequestError("NotAuthenticated", True, "log in first")
        return self.told

    def close(self) -> None:
        self.is_open = False


class Cluster:
    """Three nodes by port, and who asks them."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, passwords: str) -> None:
        create(path, 3, None)
        found = understood(path)
        nodes = {
            alias: replace(node, wants_login=True, first_password="a")
            for alias, node in found.nodes.items()
        }
        told = {"role": "follower", "term": 3, "leader": "n1"}
        self.nodes = {
            alias: Node(alias, password, told | ({"role": "leader"} if alias == "n1" else {}))
            for alias, password in zip(nodes, passwords, strict=True)
        }
        by_port = {node.site.port: self.nodes[alias] for alias, node in nodes.items()}

        class Connection:
            @classmethod
            async def open(cls, _: str, port: int, **__: Any) -> Node | Self:
                by_port[port].is_open, by_port[port].entered = True, False
                return by_port[port]

        Node.logins = 0
        monkeypatch.setattr(leaders, "Connection", Connection)
        self.leaders = Leaders(nodes, found.groups)

    def ask(self) -> dict[int, Leader | None]:
        return asyncio.run(self.leaders.ask())


def test_a_node_with_another_password_answers_and_is_not_guessed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, monkeypatch, "bbb")
    assert asyncio.run(cluster.leaders.reaches("n1"))
    assert cluster.ask() == cluster.ask() == {2: None}
    cluster.nodes["n1"].close()
    cluster.ask()
    assert Node.logins == 3
    assert cluster.leaders.unseen == {2}


def test_a_leader_that_lets_nobody_in_is_known_by_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, monkeypatch, "baa")
    assert cluster.ask() == {2: Leader("n1", 3)}
    assert cluster.leaders.unseen == set()


def test_a_login_that_nobody_could_check_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, monkeypatch, "aaa")
    cluster.nodes["n1"].failure = RequestError("Timeout", False, "no controller leads")
    assert asyncio.run(cluster.leaders.reaches("n1"))
    assert cluster.ask() == {2: None}
    cluster.nodes["n1"].failure = None
    assert cluster.ask() == {2: Leader("n1", 3)}
