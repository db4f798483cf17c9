"""What a Raft group may count on once faults have ended, and what it then promises.

Raft needs time to be kind (§5.6: broadcast time ≪ election timeout), so the good phase says how:

1. Nothing crashes, nothing is lost or repeated, no client asks for more, and no one checkpoints.
   In some phases one member stays down.
2. A leader has at most one message to or from a peer in flight.
3. An election timeout is longer than everything under way takes: it fires only while nothing is in
   flight or waits for a disk, nobody leads (a leader's messages restart the clock, or depose the
   leader), and no lease is left. A lease lapses on the same terms; a leader that checks its quorum
   finds one.
4. It fires at a member whose log is as up-to-date as anyone's. Others' timeouts elect nobody; with
   random timeouts, such a member's comes first again and again.

Terms may go two beyond the bound of the faulty phase. Under these rules an attempt makes a leader,
or teaches the candidate the greatest term, so that the next one does: one more term is enough for
correct Raft, and a group that spends two without converging is stuck.
"""

from dataclasses import replace
from typing import Any

from .actor import GoodPhase, Receive
from .properties import raft as promises
from .raft import RaftMember
from .raft_rules import Rules
from .raft_types import Member, Options, Own, Replicate, Role, last_term, majority

MORE_TERMS = 2


def good_phases(options: Options, rules: Rules) -> tuple[GoodPhase, ...]:
    """Everybody is up; or, where that leaves a majority, one member is down."""
    n = options.members
    actors = (RaftMember(replace(options, terms=options.terms + MORE_TERMS), rules),) * n
    decides = (promises.CONVERGED.name, *(promises.READS_END.name,) * bool(options.reads))
    everybody = tuple(range(n))
    phases = [("all members are up", everybody)]
    if n - 1 >= majority(n):
        phases += [
            (f"member {i} is down", (*everybody[:i], *everybody[i + 1 :])) for i in everybody
        ]
    return tuple(GoodPhase(name, actors, up, _Calm(rules, up), decides) for name, up in phases)


class _Calm:
    """The rules of the good phase, as a function of what all members do and what is in flight."""

    def __init__(self, rules: Rules, up: tuple[int, ...]) -> None:
        self.rules = rules
        self.up = up

    def __call__(
        self, locals_: tuple[Member, ...], net: tuple[Any, ...], node: int, event: Any
    ) -> bool:
        match event:
            case Receive() | Own.FSYNC:
                return True
            case Replicate(peer):
                pair = {node, peer}
                return peer in self.up and all({m.src, m.dst} != pair for m in net)
            case Own.TIMEOUT:
                return self._quiet(locals_, net) and self._electable(locals_, node)
            case Own.LAPSE:
                return self._quiet(locals_, net)
            case Own.QUORUM:
                return len(locals_[node].heard) + 1 >= majority(len(locals_))
        return False

    def _quiet(self, locals_: tuple[Member, ...], net: tuple[Any, ...]) -> bool:
        """Nobody leads, and nothing is on its way to a member or to a disk."""
        members = [locals_[i] for i in self.up]
        return not any(m.dst in self.up for m in net) and not any(
            s.role is Role.LEADER or s.pending or self.rules.saved(s) != s.disk for s in members
        )

    def _electable(self, locals_: tuple[Member, ...], node: int) -> bool:
        """No lease is left, and nobody's log is ahead (§5.4.1)."""
        own = (last_term(locals_[node].log), len(locals_[node].log))
        members = [locals_[i] for i in self.up]
        return not any(s.fresh or (last_term(s.log), len(s.log)) > own for s in members)
