"""Carries out rules for single messages: looks into each, and says what becomes of it."""

from collections import Counter
from collections.abc import Callable

from ...impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    Message,
    SnapshotRequest,
    VoteRequest,
    VoteResponse,
)
from ...impl.wire import PeerMessage, decode
from ..targets.rules import ANY, Caught, Rule, Rules
from .messages import Deliver, Drop, Fate, Hold
from .network import SimNet


class RuleBook:
    """The rules in force on a network."""

    def __init__(self, net: SimNet) -> None:
        self._net = net
        self._counts: dict[Rule, int] = {}
        """How many messages each rule caught."""
        self._ids: dict[Rule, str] = {}
        """By which name the network holds what a rule has it hold."""
        self._next_id = 0
        self._caught: Counter[tuple[str, str]] = Counter()
        self.rules: Rules = {}

    def set(self, rules: Rules) -> int:
        """Make the rules so: the whole value. What a rule held that is gone now is sent.

        Returns how many messages that were.
        """
        wanted = {rule: None for found in rules.values() for rule in found}
        gone = [self._ids.pop(rule) for rule in list(self._ids) if rule not in wanted]
        self._counts = {rule: self._counts.get(rule, 0) for rule in wanted}
        for rule in wanted:
            if rule not in self._ids:
                self._ids[rule] = str(self._next_id)
                self._next_id += 1
        self.rules = dict(rules)
        self._net.intercept = self._decide if rules else None
        return sum(self._net.release(name) for name in gone)

    def caught(self) -> Caught:
        """How many messages each rule with a name has caught, by it and by sender."""
        return self._caught

    def _decide(self, src: str, dst: str, body: bytes) -> Fate:
        rules = self.rules.get((src, dst))
        if rules is None:
            return Deliver()
        frame = decode(body)
        if not isinstance(frame, PeerMessage):
            return Deliver()
        for rule in rules:
            if rule.count is not None and self._counts[rule] >= rule.count:
                continue
            if fits(rule, frame.message):
                self._counts[rule] += 1
                if rule.name is not None:
                    self._caught[rule.name, src] += 1
                return Hold(self._ids[rule]) if rule.hold else Drop()
        return Deliver()


def kind_of(message: Message) -> str:
    """What a rule calls it."""
    match message:
        case VoteRequest(pre=pre):
            return "pre-vote-request" if pre else "vote-request"
        case VoteResponse(pre=pre):
            return "pre-vote-response" if pre else "vote-response"
        case AppendRequest():
            return "append-request"
        case AppendResponse():
            return "append-response"
        case SnapshotRequest():
            return "snapshot-request"


_CARRIES: dict[str, Callable[[AppendRequest], bool]] = {
    "none": lambda m: not m.entries,
    "some": lambda m: bool(m.entries),
    "old": lambda m: bool(m.entries) and m.entries[-1].term < m.term,
    "new": lambda m: bool(m.entries) and m.entries[-1].term == m.term,
}
"""Terms never fall along a log: the last entry of a request tells."""


def fits(rule: Rule, message: Message) -> bool:
    """Whether the rule is about such a message."""
    if rule.message not in (ANY, kind_of(message)):
        return False
    if rule.term is not None and rule.term != message.term:
        return False
    if rule.entries is not None and not (
        isinstance(message, AppendRequest) and _CARRIES[rule.entries](message)
    ):
        return False
    return rule.answer is None or rule.answer == _answer(message)


def _answer(message: Message) -> str | None:
    match message:
        case VoteResponse(granted=yes) | AppendResponse(success=yes):
            return "yes" if yes else "no"
        case _:
            return None
