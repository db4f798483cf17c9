"""Who sent what to whom: every message that arrives was sent, once, and as it arrived.

A message may be lost, come twice, late or out of order. None is made up, changed on its way, or
sent under the name of another; none that waits for a disk arrives before that disk has been synced.
"""

from dataclasses import dataclass

from ...traces import Boot, Message, Persisted, Received, Record, Stop, Uid
from .finding import Place, Rejected

NEVER = 1 << 60
"""The number of no record."""


@dataclass(slots=True)
class Sent:
    """A message as its sender's trace has it; `waits`: for the disk, until it is released. `left`:
    the number of the record with which it did leave.
    """

    node: str
    inc: int
    seq: int
    t_ns: int
    message: Message
    waits: bool
    left: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as the trace of who got it has it."""

    record: Record
    uid: Uid
    message: Message

    @property
    def place(self) -> Place:
        return Place.of(self.record)


@dataclass(slots=True)
class Life:
    """One incarnation of a member: how many messages it sent, as far as its trace goes."""

    numbers: int = 0
    is_stopped: bool = False


class Wire:
    """All messages of one group. Every record is added before, or when, it is checked."""

    def __init__(self) -> None:
        self.sent: dict[Uid, Sent] = {}
        self.arrived: dict[Uid, Arrival] = {}
        """The first arrival of each."""
        self._arrived_of: dict[tuple[str, int], list[Arrival]] = {}
        """The same by source and its incarnation."""
        self.lives: dict[tuple[str, int], Life] = {}
        self._early: dict[tuple[str, int], Place] = {}
        self.is_live = False
        """Whether records come in the order of the world, so that what was not sent never was."""

    def add(self, record: Record) -> None:
        """Learn what the record sends and takes. Raises Rejected."""
        life = self.lives.get((record.node, record.inc))
        if life is None:
            life = self.lives[record.node, record.inc] = Life()
        if record.out:
            for message in record.out:
                self._send(record, message, life, waits=False)
        if record.held:
            for message in record.held:
                self._send(record, message, life, waits=True)
        event = record.event
        if isinstance(event, Received):
            uid = event.uid
            if uid not in self.arrived:
                arrival = self.arrived[uid] = Arrival(record, uid, event.message)
                self._arrived_of.setdefault(uid[:2], []).append(arrival)
        elif isinstance(event, Persisted):
            for uid in event.released:
                sent = self.sent.get(uid)
                if sent is not None and sent.inc == record.inc and sent.node == record.node:
                    sent.waits, sent.left = False, record.seq
        elif isinstance(event, Stop):
            life.is_stopped = True
        elif isinstance(event, Boot):
            life.numbers = 0

    def _send(self, record: Record, message: Message, life: Life, *, waits: bool) -> None:
        uid = message.uid
        if uid is None or uid[0] != record.node or uid[1] != record.inc or not message.dst:
            reason = f"a message is sent as {_name(uid)}, which is not the sender's to give"
            raise Rejected(Place.of(record), "provenance", reason, field="uid", record=record)
        if uid in self.sent:
            first = self.sent[uid]
            reason = f"two messages are called {_name(uid)}: the other was sent by step {first.seq}"
            raise Rejected(Place.of(record), "provenance", reason, field="uid", record=record)
        seq = record.seq
        left = NEVER if waits else seq
        self.sent[uid] = Sent(record.node, record.inc, seq, record.t_ns, message, waits, left)
        expected, life.numbers = life.numbers + 1, uid[2]
        if uid[2] != expected:
            reason = f"message {_name(uid)} follows number {expected - 1}: one is missing"
            raise Rejected(Place.of(record), "continuity", reason, field="uid", record=record)

    def check(self, record: Record, event: Received) -> None:
        """Whether this message may have arrived. Raises Rejected."""
        uid, message = event.uid, event.message
        sent = self.sent.get(uid)
        problem: tuple[str, str, object, object] | None = None
        if uid[0] == record.node:
            problem = ("uid", "comes from its own receiver", "a peer's", uid[0])
        elif sent is None:
            if not self.may_be_lost(uid):
                problem = ("uid", "was sent by nobody", "a message that was sent", "none")
            else:
                self._check_same(record, event)
        elif sent.message.dst != record.node:
            problem = ("dst", f"was sent to {sent.message.dst}", sent.message.dst, record.node)
        elif sent.message.fields != message.fields or type(sent.message) is not type(message):
            problem = ("message", "was changed on its way", told(sent.message), told(message))
        elif sent.waits and self.is_over_without(sent):
            problem = (
                "released",
                f"arrived although it waited for the disk of {sent.node} (step {sent.seq}), and "
                "no sync released it",
                "a message that was released",
                "one that was held",
            )
        if problem is not None:
            field, reason, expected, found = problem
            raise Rejected(
                Place.of(record),
                "provenance",
                f"message {_name(uid)} {reason}",
                field=field,
                model={field: expected},
                found={field: found},
                record=record,
            )

    def check_order(self, record: Record) -> None:
        """Of records in the order of the world: what waited for the disk arrived after its sync.

        A process may die between a release and its line: then no further line of it comes. Raises
        Rejected.
        """
        event = record.event
        if isinstance(event, Received):
            sent = self.sent.get(event.uid)
            if sent is not None and sent.waits:
                self._early.setdefault((sent.node, sent.inc), Place.of(record))
        early = self._early.pop((record.node, record.inc), None)
        if early is not None:
            reason = f"sent what waited for the disk before it was synced; it arrived at {early}"
            raise Rejected(Place.of(record), "durability", reason, field="out", record=record)

    def _check_same(self, record: Record, event: Received) -> None:
        """Of a message whose sender's records are lost: it is the same wherever it arrived."""
        first = self.arrived.get(event.uid)
        if first is None or (
            first.place.node == record.node and first.message.fields == event.message.fields
        ):
            return
        raise Rejected(
            Place.of(record),
            "provenance",
            f"two messages are called {_name(event.uid)}: the other arrived at {first.place.node}",
            field="uid",
            model={"message": told(first.message)},
            found={"message": told(event.message)},
            record=record,
        )

    def may_be_lost(self, uid: Uid) -> bool:
        """Whether the record that sent this may have died with its process."""
        if self.is_live:
            return False
        life = self.lives.get((uid[0], uid[1]))
        return life is None or (not life.is_stopped and uid[2] > life.numbers)

    def is_over_without(self, sent: Sent) -> bool:
        """Whether its sender ended in an orderly way, so that no record of it is missing."""
        return self.lives[sent.node, sent.inc].is_stopped

    def last_heard(self, node: str) -> int:
        """The last incarnation of which anything arrived, whether or not a line tells of it."""
        return max((inc for source, inc in self._arrived_of if source == node), default=0)

    def orphans(self, node: str, incs: range) -> list[Arrival]:
        """Messages of these incarnations that arrived although no record sends or releases them,
        in the order of their numbers.
        """
        found = []
        for (source, inc), arrivals in self._arrived_of.items():
            if source == node and inc in incs:
                for arrival in arrivals:
                    sent = self.sent.get(arrival.uid)
                    if sent is None or sent.waits:
                        found.append(arrival)
        return sorted(found, key=lambda a: a.uid)


def told(m: Message) -> str:
    """A message in a line."""
    values = ((name, getattr(m.fields, name)) for name in m.fields.__struct_fields__)
    words = ", ".join(f"{name} {_told(value)}" for name, value in values)
    return f"{type(m).__name__}({words})"


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{len(value)}: {value[0][0]}-{value[-1][0]}]" if value else "[]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _name(uid: Uid | None) -> str:
    return "nothing" if uid is None else f"{uid[0]}/{uid[1]}/{uid[2]}"
