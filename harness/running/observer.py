"""Watches every member's own account of its role: who leads, and since which term."""

import asyncio
import math

from ..language.sides import MASTER, side_of
from ..op import OBSERVER, OpType
from ..system import Connection, Status
from ..targets.crashes import CRASHED
from ..targets.target import Cluster, ProcessState
from .recorder import Recorder

_POLL_S = 0.03
_PATIENCE_S = 0.5
_CLOSED_PAUSE_S = 0.05


class Observer:
    """Asks all members again and again, on connections of its own, and records what changed."""

    def __init__(self, cluster: Cluster, recorder: Recorder, key: str | None) -> None:
        self.changed = asyncio.Event()
        """Set when a leader or a term is another; whoever waits for it clears it."""
        self.died: list[tuple[str, str]] = []
        """Members that ended by themselves, and how; not those that are excused, or had to."""
        self.excused: dict[str, float] = {}
        """Members whom a fault denies or denied what they need, and until when, by the loop's clock
        in seconds, that they end is what they should do."""
        self._cluster = cluster
        self._recorder = recorder
        self._key = key
        # Who claims to lead: in which term, and when in the order of claims.
        self._claims: dict[str, tuple[int, int]] = {}
        self._claim_count = 0
        self._term_max = 0
        self._recorded: dict[str, tuple[str, int, str | None]] = {}

    @property
    def leader(self) -> str | None:
        """The member that claims to lead in the highest term; of several, the last to claim it.

        A member that is paused or cut off leads until another one is seen to. Of several clusters
        the master is meant.
        """
        return self.leader_of(MASTER)

    def leader_of(self, side: str) -> str | None:
        """The same for one of several clusters. Members of a single group are on no side."""
        claims = [
            alias for alias in self._claims if side_of(alias) in (None, side) and self._lives(alias)
        ]
        return max(claims, key=self._claims.__getitem__, default=None)

    @property
    def term(self) -> int:
        """The term in which it leads, or the highest in which a leader was seen."""
        leader = self.leader
        return self._term_max if leader is None else self._claims[leader][0]

    def forget(self, alias: str) -> None:
        """What the member claimed was claimed by a process that is gone."""
        self._claims.pop(alias, None)

    async def watch(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for alias in self._cluster.members:
                group.create_task(self._watch(alias))

    async def _watch(self, alias: str) -> None:
        connection: Connection | None = None
        while True:
            self.note_deaths()
            if connection is None or not connection.is_open:
                connection = await self._cluster.open(alias, _PATIENCE_S)
            if connection is None:
                await asyncio.sleep(_CLOSED_PAUSE_S)
                continue
            status = await connection.status(self._key, _PATIENCE_S)
            if status is not None:
                self._note(alias, status)
            await asyncio.sleep(_POLL_S)

    def _note(self, alias: str, status: Status) -> None:
        if status.role != "leader":
            self.forget(alias)
        elif self._claims.get(alias, (None,))[0] != status.term:
            self._claim_count += 1
            self._claims[alias] = (status.term, self._claim_count)
            if side_of(alias) in (None, MASTER):
                self._term_max = max(self._term_max, status.term)
            self.changed.set()
        now = (status.role, status.term, status.leader)
        if self._recorded.get(alias) != now:
            self._recorded[alias] = now
            value = {"role": status.role, "term": status.term, "leader": status.leader}
            self._recorder.add(OBSERVER, OpType.INFO, "role", node=alias, value=value)
            self.changed.set()

    def note_deaths(self) -> None:
        """Take in who has ended by itself since the last look."""
        now_s = asyncio.get_running_loop().time()
        for alias, how in self._cluster.deaths():
            if self.excused.get(alias, -math.inf) < now_s and how != CRASHED:
                self.died.append((alias, how))
            self.forget(alias)
            self._recorded.pop(alias, None)
            self._recorder.add(OBSERVER, OpType.INFO, "died", node=alias, error=how)

    def _lives(self, alias: str) -> bool:
        return self._cluster.process_state(alias) is not ProcessState.DEAD
