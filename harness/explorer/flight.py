"""Which messages of a real run are in flight after each of its steps."""

from collections.abc import Sequence

from ..traces import Message, Persisted, Received, Record, Uid

APART = 512
"""Steps between two whose messages in flight are remembered."""


class Flight:
    """Which messages are in flight after each step: only what will arrive, for the rest is lost."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.messages: dict[Uid, tuple[str, Message]] = {}
        """What was sent, with its sender."""
        self.sent: list[list[Uid]] = []
        """By step."""
        self.lost = [0]
        """Of those sent up to a step, how many never arrive."""
        self._taken: list[Uid | None] = []
        arrived = {r.event.uid for r in records if isinstance(r.event, Received)}
        flying: dict[Uid, None] = {}
        self._known: list[tuple[Uid, ...]] = []
        for number, record in enumerate(records):
            if number % APART == 0:
                self._known.append(tuple(flying))
            sent = self._sends(record)
            self.sent.append([uid for uid in sent if uid in arrived])
            self.lost.append(self.lost[-1] + len(sent) - len(self.sent[-1]))
            event = record.event
            self._taken.append(event.uid if isinstance(event, Received) else None)
            self._move(flying, number)

    def _sends(self, record: Record) -> list[Uid]:
        for message in (*record.out, *record.held):
            if message.uid is not None:
                self.messages[message.uid] = (record.node, message)
        found = [message.uid for message in record.out if message.uid is not None]
        if isinstance(record.event, Persisted):
            found += [uid for uid in record.event.released if uid in self.messages]
        return found

    def _move(self, flying: dict[Uid, None], number: int) -> None:
        taken = self._taken[number]
        if taken is not None:
            flying.pop(taken, None)
        flying.update(dict.fromkeys(self.sent[number]))

    def at(self, number: int) -> tuple[Uid, ...]:
        """After so many steps, oldest first."""
        if number == 0:
            return ()
        known = (number - 1) // APART
        flying = dict.fromkeys(self._known[known])
        for step in range(known * APART, number):
            self._move(flying, step)
        return tuple(flying)
