"""One member for tests: a core, the disk that it thinks it has, and what waits for that disk."""

from collections.abc import Iterable, Sequence

from delphic.impl.raft.core import Core
from delphic.impl.raft.messages import Entry, HardState, Kind, Message
from delphic.impl.raft.progress import Window
from delphic.impl.raft.ready import Event, Persisted, Ready, Timer


def entries_of(terms: Iterable[int]) -> tuple[Entry, ...]:
    """One entry per term, told apart by its payload."""
    return tuple(Entry(term, Kind.APPEND, b"%d.%d" % (term, i)) for i, term in enumerate(terms, 1))


class Member:
    """Carries out what its core asks for, as a driver does, one sync at a time."""

    def __init__(
        self,
        alias: str,
        members: Sequence[str],
        *,
        hard_state: HardState | None = None,
        log: Sequence[Entry] = (),
        bugs: frozenset[str] = frozenset(),
        window: Window | None = None,
    ) -> None:
        self.alias = alias
        self._members = members
        self._bugs = bugs
        self._window = window
        self.hard_state = hard_state or HardState(max((e.term for e in log), default=0))
        self.disk = list(log)
        self.unsynced: list[Ready] = []
        self.restart()

    def restart(self) -> None:
        """Come back with what the disk holds and nothing else."""
        self.unsynced.clear()
        self.armed = {Timer.ELECTION}
        self.core = Core.recover(
            self.alias, self._members, self.hard_state, self.disk, self._bugs, self._window
        )

    def step(self, event: Event) -> Ready:
        """Step the core and keep for the disk what must wait for it."""
        ready = self.core.step(event)
        assert not ready.arm & ready.disarm
        self.armed = (self.armed | ready.arm) - ready.disarm
        self.unsynced.append(ready)
        return ready

    def sync(self) -> tuple[list[Message], Persisted | None]:
        """Make all that waits durable; gives the messages that may go now, and the report."""
        released: list[Message] = []
        report = None
        for ready in self.unsynced:
            self._write(ready)
            released += ready.after_persist
            if ready.entries:
                report = Persisted(len(self.disk), self.disk[-1].term)
        self.unsynced.clear()
        return released, report

    def _write(self, ready: Ready) -> None:
        if ready.hard_state is not None:
            before, after = self.hard_state, ready.hard_state
            assert (after.term, before.vote in (None, after.vote)) > (before.term, False)
            self.hard_state = after
        if ready.truncate_from is not None:
            del self.disk[ready.truncate_from - 1 :]
        if ready.entries:
            assert ready.first_index == len(self.disk) + 1
            self.disk += ready.entries
