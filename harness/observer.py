"""Watches every member's own account of its role: who leads, and since which term."""

import asyncio

from .op import OBSERVER, OpType
from .recorder import Recorder
from .system import Connection, Status
from .targets.target import Cluster, ProcessState

_POLL_S = 0.03
_PATIENCE_S = 0.5
_CLOSED_PAUSE_S = 0.05


class Observer:
    """Asks all members again and again, on connections of its own, and records what changed."""

    def __init__(self, cluster: Cluster, recorder: Recorder, key: str) -> None:
        self.changed = asyncio.Event()
        """Set when a leader or a term is another; whoever waits for it clears it."""
        self.died: list[tuple[str, str]] = []
        """Members that ended by themselves, and how."""
        self._cluster = cluster
        self._recorder = recorder
        self._key = key
        self._said: dict[str, Status] = {}
        self._recorded: dict[str, tuple[str, int, str | None]] = {}

    @property
    def leading(self) -> Status | None:
        """What the leader of the highest term said of itself, if a living member claims to lead."""
        claims = [s for alias, s in self._said.items() if s.role == "leader" and self._lives(alias)]
        return max(claims, key=lambda status: status.term, default=None)

    @property
    def leader(self) -> str | None:
        """Its alias. A member that is paused or cut off leads until another one is seen to."""
        leading = self.leading
        return next((a for a, s in self._said.items() if s is leading), None) if leading else None

    @property
    def term(self) -> int:
        """The highest term in which a leader was ever seen."""
        return self._term

    _term = 0

    def forget(self, alias: str) -> None:
        """What the member said was said by a process that is gone."""
        self._said.pop(alias, None)

    async def watch(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for alias in self._cluster.members:
                group.create_task(self._watch(alias))

    async def _watch(self, alias: str) -> None:
        connection: Connection | None = None
        while True:
            self._note_deaths()
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
        self._said[alias] = status
        if status.role == "leader":
            self._term = max(self._term, status.term)
        now = (status.role, status.term, status.leader)
        if self._recorded.get(alias) != now:
            self._recorded[alias] = now
            value = {"role": status.role, "term": status.term, "leader": status.leader}
            self._recorder.add(OBSERVER, OpType.INFO, "role", node=alias, value=value)
            self.changed.set()

    def _note_deaths(self) -> None:
        for alias, how in self._cluster.deaths():
            self.died.append((alias, how))
            self.forget(alias)
            self._recorder.add(OBSERVER, OpType.INFO, "died", node=alias, error=how)

    def _lives(self, alias: str) -> bool:
        return self._cluster.process_state(alias) is not ProcessState.DEAD
