"""A table with a key column: producers that repeat themselves, leaders, restarts, checkpoints.

Raft is built in: entries that are committed stay, others may be overruled by a new leader that does
not have them. A leader drops the rows whose keys are in the window, and logs the others, so that
the window is a function of the log, and every replica has the same rows (semantics V7).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from .actor import Step
from .keyed_rules import Known, Options, Source, added, screened
from .keyed_types import (
    NOBODY,
    Apply,
    Checkpoint,
    Elect,
    Entry,
    Event,
    Group,
    Keys,
    Own,
    Phase,
    Producer,
    Replica,
    Restart,
    Send,
    TimeOut,
    rows_of,
)


@dataclass(frozen=True)
class Keyed:
    """The actor: a group with its producers."""

    options: Options

    def initial(self, node: int) -> Group:
        options = self.options
        return Group(
            log=(), commit=0, leader=0, serves_from=0,
            replicas=(Replica(),) * options.members,
            producers=(Producer(),) * options.producers,
            acknowledged=frozenset(),
        )  # fmt: skip

    def durable(self, state: Group) -> Group:
        """Members fail by themselves, the group does not."""
        return state

    def recover(self, node: int, durable: Group) -> Group:
        return durable

    def events(self, state: Group) -> Iterator[Event]:
        yield Own.COMMIT
        for number, producer in enumerate(state.producers):
            yield TimeOut(number)
            if producer.phase is Phase.UNSURE:
                yield Send(number, producer.keys)
            elif producer.phase is Phase.IDLE and producer.begun < self.options.batches:
                yield from (Send(number, keys) for keys in self._batches(state))
        for member in range(self.options.members):
            yield from (Apply(member), Checkpoint(member), Restart(member))
            for held in range(len(state.log) - state.commit + 1):
                yield Elect(member, held)

    def _batches(self, s: Group) -> Iterator[Keys]:
        """Keys differ in nothing but what they are called: new ones are taken in order."""
        met = [*rows_of(s.log), *(key for producer in s.producers for key in producer.keys)]
        known = max([*met, *s.acknowledged], default=-1) + 1
        for rows in range(1, self.options.batch + 1):
            for keys in product(range(self.options.keys), repeat=rows):
                if all(key <= max((known - 1, *keys[:at])) + 1 for at, key in enumerate(keys)):
                    yield keys

    def step(self, state: Group, event: Event) -> Step | None:
        match event:
            case Send(producer, keys):
                return self._send(state, producer, keys)
            case TimeOut(producer):
                if state.producers[producer].phase is not Phase.WAITING:
                    return None
                return Step(_unsure(state, producer), cost="timeouts")
            case Own.COMMIT:
                if state.leader == NOBODY or state.commit == len(state.log):
                    return None
                return Step(state._replace(commit=state.commit + 1))
            case Apply(member):
                return self._apply(state, member)
            case Checkpoint(member):
                replica = state.replicas[member]
                saved = (replica.applied, len(replica.rows))
                if saved == replica.saved:
                    return None
                after = _with_replica(state, member, replica._replace(saved=saved))
                return Step(after, cost="checkpoints")
            case Restart(member):
                return self._restart(state, member)
            case Elect(member, held):
                return self._elect(state, member, held)

    def _send(self, s: Group, number: int, keys: Keys) -> Step | None:
        """The leader judges the rows, and logs those that are new."""
        if not self.serves(s):
            return None
        options, replica, producer = self.options, s.replicas[s.leader], s.producers[number]
        repeats = producer.phase is Phase.UNSURE
        producer = Producer(producer.begun + (not repeats), keys, Phase.WAITING)
        accepted, window = screened(options, replica, keys)
        s = _with_producer(s, number, producer)
        if not accepted and options.known is not Known.LOGGED:
            return Step(_answered(s, number) if options.known is Known.ANSWERED else s)
        s = _with_replica(s, s.leader, replica._replace(window=window))
        return Step(s._replace(log=(*s.log, Entry(number, producer.begun, accepted))))

    def serves(self, s: Group) -> bool:
        """Whether there is a leader, and it has applied what was there when it was elected."""
        if s.leader == NOBODY:
            return False
        return not self.options.waits or s.replicas[s.leader].applied >= s.serves_from

    def _apply(self, s: Group, member: int) -> Step | None:
        replica = s.replicas[member]
        if replica.applied == s.commit:
            return None
        entry = s.log[replica.applied]
        rows = replica.rows + added(self.options, replica, entry.keys)
        s = _with_replica(s, member, replica._replace(rows=rows, applied=replica.applied + 1))
        producer = s.producers[entry.producer]
        waits = producer.phase is Phase.WAITING and producer.begun == entry.batch
        is_answer = member == s.leader and replica.applied >= s.serves_from
        return Step(_answered(s, entry.producer) if waits and is_answer else s)

    def _restart(self, s: Group, member: int) -> Step:
        """Memory is gone; the table is as the checkpoint says, and the log redoes the rest."""
        replica = s.replicas[member]
        applied, rows = replica.saved
        loaded = rows if self.options.source is Source.MEMORY else 0
        s = _with_replica(s, member, Replica(replica.rows[:rows], applied, replica.saved, loaded))
        if member == s.leader:
            s = _leaderless(s)
        return Step(s, cost="restarts")

    def _elect(self, s: Group, member: int, held: int) -> Step:
        """Entries that the new leader does not have are overruled."""
        cost = None if s.leader == NOBODY else "changes"
        s = _leaderless(s)
        if self.options.forgets:
            s = s._replace(replicas=tuple(each._replace(window=None) for each in s.replicas))
        log = s.log[: s.commit + held]
        return Step(s._replace(log=log, leader=member, serves_from=len(log)), cost=cost)


def _leaderless(s: Group) -> Group:
    """Nobody is answered any more by who led."""
    for number, producer in enumerate(s.producers):
        if producer.phase is Phase.WAITING:
            s = _unsure(s, number)
    return s._replace(leader=NOBODY, serves_from=0)


def _unsure(s: Group, number: int) -> Group:
    return _with_producer(s, number, s.producers[number]._replace(phase=Phase.UNSURE))


def _answered(s: Group, number: int) -> Group:
    producer = s.producers[number]
    s = _with_producer(s, number, producer._replace(phase=Phase.IDLE))
    return s._replace(acknowledged=s.acknowledged | set(producer.keys))


def _with_producer(s: Group, number: int, producer: Producer) -> Group:
    return s._replace(producers=(*s.producers[:number], producer, *s.producers[number + 1 :]))


def _with_replica(s: Group, member: int, replica: Replica) -> Group:
    return s._replace(replicas=(*s.replicas[:member], replica, *s.replicas[member + 1 :]))
