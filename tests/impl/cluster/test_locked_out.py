"""Whoever is deleted while his password is compared does not get in."""

from collections.abc import Callable
from typing import Any

import pytest
from delphic.impl.cluster.catalog_state import User
from delphic.impl.config import CLUSTER_FILE, CONTROLLER_FILE, NODES_FILE, load
from delphic.impl.hashing import Hash
from delphic.impl.service.call import Call, Functions
from delphic.impl.service.catalog import CatalogFunctions
from hand_clock import HandClock

FILES = {
    NODES_FILE: "localSite,mode\nh:1:c1,controller\nh:2:n1,datanode\n",
    CLUSTER_FILE: "",
    CONTROLLER_FILE: "",
}


class Plain(Hash, frozen=True):
    """A hash that costs nothing."""

    def matches(self, password: str) -> bool:
        return self.key == password.encode()


def eve(password: str) -> User:
    return User(Plain(1, 1, 1, b"", password.encode()), False, {})


class Slow:
    """A `Hashing` that waits for the test."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], Any], done: Callable[[Any], None], *_: object) -> None:
        self.due.append(lambda: done(work()))


class Leader:
    """A group whose catalog answers at once; of it only the users matter."""

    def __init__(self, users: dict[str, User]) -> None:
        self.rights = self
        self.users = users

    @property
    def catalog(self) -> Any:
        return self

    def look(self, view: Callable[[Any], Any], answer: Callable[[Any], None]) -> None:
        answer(view(self))


@pytest.mark.parametrize(
    ("after", "gets_in"),
    [({}, False), ({"eve": eve("new")}, False), ({"eve": eve("old")}, True)],
    ids=["deleted", "another password", "the same"],
)
def test_a_login_is_about_the_user_that_there_is_when_it_is_answered(
    after: dict[str, User], gets_in: bool
) -> None:
    config = load("/c1", "c1", lambda path: FILES[path].encode())
    hashing, users = Slow(), {"eve": eve("old")}
    functions: Any = CatalogFunctions(config, HandClock(), hashing)  # type: ignore[arg-type]
    functions.group = Leader(users)
    told: list[Any] = []
    call = Call(told.append, peer="n1")
    Functions(functions.functions()).call("userCheck", ("eve", "old"), call)
    users.clear()
    users.update(after)
    (go,) = hashing.due
    go()
    assert told == [gets_in]
