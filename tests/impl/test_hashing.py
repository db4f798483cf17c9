"""Passwords are compared for those who still wait, and for nobody else."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from delphic.impl import hashing
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.hashing import Hash, Hashing
from delphic.impl.runtime import Clock, Runtime
from delphic.impl.runtime_disk import RealDisk
from delphic.impl.service.call import Call
from delphic.impl.service.catalog import CatalogFunctions
from delphic.impl.service.users import UserFunctions
from delphic.impl.users import Users
from hand_clock import HandClock
from members import Homes, run
from scripted_leader import until
from scripted_node import ScriptedNode


class HandWorker:
    """Does its jobs when it is told to, or at once."""

    def __init__(self, *, waits: bool) -> None:
        self.waits = waits
        self.jobs: list[tuple[Callable[[], None], Callable[[OSError | None], None]]] = []

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        self.jobs.append((job, done))
        if not self.waits:
            self.work()

    def work(self) -> None:
        while self.jobs:
            job, done = self.jobs.pop(0)
            job()
            done(None)

    async def close(self) -> None:
        """Nothing is under way."""


def world(clock: Clock, worker: HandWorker) -> Runtime:
    """As much of it as passwords need."""
    found = SimpleNamespace(
        clock=clock, worker=worker, randomness=random.Random(1), disk=RealDisk()
    )
    return cast(Runtime, found)


def test_what_is_not_wanted_when_its_turn_comes_is_left_out() -> None:
    clock, worker = HandClock(), HandWorker(waits=False)
    tried = Hashing(world(clock, worker))
    told: dict[str, Any] = {}
    for name in "abc":
        tried.submit(
            lambda name=name: name.upper(),
            lambda outcome, name=name: told.update({name: outcome}),
            lambda name=name: name != "b",
        )
    clock.advance(1.5 * hashing.PAUSE_S)
    assert (told["a"], told["c"]) == ("A", "C")
    assert isinstance(told["b"], RequestError)
    assert (told["b"].name, told["b"].definite) == ("Overloaded", True)


class Door(ScriptedNode):
    """Lets in who knows the password."""

    def __init__(self, worker: HandWorker, folder: Path) -> None:
        super().__init__("n1", lambda *_: None)
        self._users = Users(world(self.clock, worker), str(folder / "users.json"))
        self._users.open("right")
        self._door = UserFunctions(self._users, lambda: self.visitors, wants_login=True)

    def call(
        self, visitor: Any, function: str, args: tuple[Any, ...], answer: Callable[[Any], None]
    ) -> None:
        self.asked.append(function)
        self._door.functions()[function][1](Call(answer, visitor), *args)


def test_the_password_of_somebody_who_has_hung_up_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "COST", 16)
    monkeypatch.setattr(hashing, "PAUSE_S", 0.0)
    compared: list[str] = []
    matches = Hash.matches

    def counting(self: Hash, password: str) -> bool:
        compared.append(password)
        return matches(self, password)

    monkeypatch.setattr(Hash, "matches", counting)

    async def scenario() -> None:
        worker = HandWorker(waits=True)
        async with Door(worker, tmp_path) as node:
            logins = []
            for count in (1, 2, 3, 4):
                login = Connection.open("127.0.0.1", node.port, user="admin", password="right")
                logins.append(asyncio.create_task(login))
                await until(lambda count=count: len(node.asked) == count)
            logins[1].cancel()
            logins[3].cancel()
            await until(lambda: len(node.visitors) == 2)
            while not (logins[0].done() and logins[2].done()):
                worker.work()
                await asyncio.sleep(0)
            logins[0].result().close()
            logins[2].result().close()
        assert len(compared) == 2

    run(scenario())


def test_controllers_compare_no_password_for_a_node_that_has_asked_again(tmp_path: Path) -> None:
    compared: list[str] = []
    told: list[Any] = []

    class Counted:
        key = b"key"

        def matches(self, password: str) -> bool:
            compared.append(password)
            return True

    clock, worker = HandClock(), HandWorker(waits=False)
    with Homes(tmp_path, controllers=("c1",), controller="initialAdminPassword=x\n") as homes:
        tried = CatalogFunctions(
            homes.config("c1"),
            clock,
            Hashing(world(clock, worker)),
        )
    users = {"ann": SimpleNamespace(hash=Counted())}
    catalog = SimpleNamespace(rights=SimpleNamespace(users=users))
    tried.group = SimpleNamespace(  # type: ignore[assignment]
        catalog=catalog, look=lambda view, done: done(view(catalog))
    )
    _, check = tried.functions()["userCheck"]
    for number in range(30):
        check(Call(told.append, peer="n1"), "ann", f"password {number}")
    clock.advance(10)
    assert len(told) == 30
    assert len(compared) == 17
    assert told[:17] == [True] * 17
    assert {answer.name for answer in told[17:]} == {"Overloaded"}
