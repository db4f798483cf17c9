"""How a slave's leader has a data node execute: it asks again while nothing is heard."""

from collections.abc import Callable
from typing import Any

from delphic.impl.client.errors import DISCONNECTED, INDETERMINATE, RequestError
from delphic.impl.config import CLUSTER_FILE, CONTROLLER_FILE, NODES_FILE, load
from delphic.impl.replication.events import Ending
from delphic.impl.replication.slave_service import ASKS_MAX, SlaveService
from hand_clock import HandClock
from queue_makers import task

FILES = {
    NODES_FILE: "localSite,mode\nh:1:c1,controller\nh:2:s1,datanode\n",
    CLUSTER_FILE: "clusterReplicationMode=slave\n",
    CONTROLLER_FILE: "clusterReplicationMasterCtl=h:9\n",
}

SILENCE = RequestError(INDETERMINATE, False, "s1 gave no answer")


class World:
    """Everything that the service touches: its node, a group that it leads, a clock."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.told: list[Any] = []
        self.is_leader = True
        self.raft = self
        self.clock = HandClock()
        config = load("/c1", "c1", lambda path: FILES[path].encode())
        own: Any = self
        self.service = SlaveService(config, own, self._ask, own, None)

    def _ask(
        self,
        alias: str,
        function: str,
        args: tuple[Any, ...],
        answer: Callable[[Any], None],
        lost: RequestError,
        patience_s: float | None = None,
    ) -> None:
        self.asked.append(alias)
        answer(self.answers.pop(0))

    def execute(self) -> list[Any]:
        self.service.execute("s1", task(1), self.told.append)
        return self.told


def test_who_says_nothing_is_asked_again() -> None:
    world = World(SILENCE, SILENCE, str(Ending.DONE))
    assert world.execute() == [str(Ending.DONE)]
    assert world.asked == ["s1"] * 3


def test_an_attempt_of_which_nothing_is_heard_has_failed_in_the_end() -> None:
    world = World(*[SILENCE] * ASKS_MAX)
    assert world.execute() == [SILENCE]
    assert len(world.asked) == ASKS_MAX


def test_what_is_known_is_told_at_once() -> None:
    for known in (RequestError(DISCONNECTED, True, "no link"), RequestError("Busy", True, "x")):
        world = World(known)
        assert world.execute() == [known]


def test_who_leads_no_more_asks_nobody() -> None:
    world = World(SILENCE)
    world.is_leader = False
    assert world.execute() == [SILENCE]
