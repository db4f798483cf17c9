"""The master's core under any sequence of entries: the promises that are its own."""

import pytest
from delphic.impl.cluster.operations import Operation
from delphic.impl.replication import master
from delphic.impl.replication.events import Completed, FlagSet, Started, Stopped
from delphic.impl.replication.master import Master
from delphic.impl.replication.status import Status
from delphic.impl.replication.tasks import Task
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from queue_makers import meta, pulled

DATABASES = st.sampled_from(["dfs://a", "dfs://b"])
CHUNKS = st.sets(st.sampled_from("xyz"), min_size=1)
SLAVES = ("s1", "s2", "s3")

pytestmark = pytest.mark.slow


class MasterMachine(RuleBasedStateMachine):
    """Beside the core: what it should have queued, and what each slave has."""

    bugs: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.master = Master(bugs=self.bugs)
        self.tids = 0
        self.on: set[str] = set()
        self.tasks: list[Task] = []
        self.done: dict[str, int] = {}
        """Of each known slave, the last task that it finished."""
        self.pulled: dict[str, int] = {}

    @rule(database=DATABASES, on=st.booleans())
    def switch(self, database: str, on: bool) -> None:
        self.master.step(FlagSet(database, on))
        (self.on.add if on else self.on.discard)(database)

    @rule(on=st.booleans())
    def start_or_stop(self, on: bool) -> None:
        self.master.step(Started() if on else Stopped())
        assert (self.master.status is Status.ENABLED) == on

    @rule(database=DATABASES, names=CHUNKS, flagged=st.booleans())
    def write(self, database: str, names: set[str], flagged: bool) -> None:
        chunks = tuple(sorted(f"{database}/t/{name}" for name in names))
        self._complete(database, chunks, Operation.APPEND, flagged)

    @rule(database=DATABASES, flagged=st.booleans(), drop=st.booleans())
    def define(self, database: str, flagged: bool, drop: bool) -> None:
        operation = Operation.DROP_DB if drop else Operation.TRUNCATE_TABLE
        self._complete(database, (), operation, flagged)
        if drop:
            self.on.discard(database)

    def _complete(
        self, database: str, chunks: tuple[str, ...], operation: Operation, flagged: bool
    ) -> None:
        self.tids += 1
        about = meta(self.tids, database, chunks, operation)
        wanted = flagged and database in self.on and self.master.status is Status.ENABLED
        enqueued = self.master.step(Completed(about, flagged)).enqueued
        # PR-1, PR-2, PR-12, PR-13.
        assert (enqueued is not None) == wanted
        if enqueued is not None:
            # PR-3.
            assert enqueued.id == len(self.tasks) + 1
            assert enqueued.meta == about
            self.tasks.append(enqueued)

    @rule(slave=st.sampled_from(SLAVES), room=st.integers(0, 5), done=st.integers(0, 9))
    def pull(self, slave: str, room: int, done: int) -> None:
        """A slave asks, having done some more of what it has."""
        offset = self.pulled.get(slave, 0)
        finished = min(offset, self.done.get(slave, 0) + done)
        entry = pulled(slave, offset, finished)
        refusal = self.master.refuses(entry)
        effects = self.master.step(entry)
        assert effects.refusal == refusal
        if refusal:
            # Only strangers are: too many, or too late (U13).
            assert slave not in self.done
            assert len(self.done) == 2 or self.master.head > 1
            return
        self.done[slave] = finished
        tasks, more = self.master.after(offset, room)
        assert list(tasks) == self.tasks[offset : offset + room]
        assert more == (offset + room < len(self.tasks))
        self.pulled[slave] = offset + len(tasks)
        # PR-17: all that know of it have it finished, and nothing else is kept back (PR-30).
        assert self.master.head == min(self.done.values()) + 1

    @rule()
    def restart(self) -> None:
        """From a checkpoint."""
        self.master = Master(self.master.dump(), self.bugs)

    @invariant()
    def what_is_not_truncated_is_queued_with_its_data(self) -> None:
        assert list(self.master.queued()) == self.tasks[self.master.head - 1 :]
        # PR-18.
        writes = {t.meta.tid for t in self.master.queued() if t.meta.operation.is_write}
        assert self.master.needed() == writes

    @invariant()
    def conflicts_are_in_the_order_of_groups(self) -> None:
        """PR-6, and what PR-5 stands on."""
        for at, task in enumerate(self.tasks):
            for later in self.tasks[at + 1 :]:
                assert task.group <= later.group
                if task.meta.conflicts(later.meta):
                    assert task.group < later.group


@pytest.mark.parametrize(
    "bug",
    [
        "queues-while-disabled",
        "stop-drops-queue",
        "flag-off-drops-queued",
        "trims-unread",
        "waits-for-slowest",
    ],
)
def test_each_seeded_bug_of_the_master_breaks_a_promise(
    bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master, "SEEDED_QUEUE", 2)

    class Broken(MasterMachine):
        bugs = frozenset((bug,))

    looked = settings(
        max_examples=500,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=looked)


TestMaster = MasterMachine.TestCase
TestMaster.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
