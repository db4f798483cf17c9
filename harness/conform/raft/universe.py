"""Which kinds of steps there are at all: those of every pair that exploring `raft-built` reaches.

`python -m delphic.harness.conform.raft.universe` writes universe.json anew, in some two minutes.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ....model.actor import Step
from ....model.explore.pairs import Pairs
from ....model.raft_types import Crash, Event, Member, Offer, Role, Send
from ..binding import Bounds
from ..kinds import FILE, Kind
from ..trace.coverage import Counting
from .bind import DOCUMENTED, reached
from .local import LocalStep, local_step
from .refine import Explained, Unbounded, unbounded


class Universe:
    """Kinds of steps, and local steps, that were reached."""

    def __init__(self) -> None:
        self._counting = Counting()
        self.local_steps: set[LocalStep] = set()

    @property
    def kinds(self) -> list[Kind]:
        """Event and what it did, sorted."""
        return sorted(self._counting.coverage().branches)

    def add(self, pairs: Pairs) -> None:
        """Everything in these pairs, as a trace would show it."""
        member = unbounded(len(pairs.model.actors))
        for _, state, event, step in pairs.found:
            if step is not None and not isinstance(event, Crash):
                self._add(member, state, event)
        for _, state in pairs.states:
            for send in _sends(state):
                self._add(member, state, send)

    def _add(self, member: Unbounded, state: Member, event: Event) -> None:
        # The model that is explored sends whatever it may at once; the one that traces are
        # explained by sends when it is told to.
        step = member.step(state, event)
        if step is not None:
            self.local_steps.add(local_step(state, event))
            self._counting.add(state, Explained(((event, step),), _member(step)))

    def to_dict(self, bounds: Sequence[Bounds]) -> dict[str, Any]:
        """As universe.json has it."""
        return {
            "bounds": [str(one) for one in bounds],
            "kinds": [list(kind) for kind in self.kinds],
            "local_steps": len(self.local_steps),
        }


def _member(step: Step) -> Member:
    assert isinstance(step.state, Member)
    return step.state


def _sends(state: Member) -> Iterator[Send | Offer]:
    if state.role is Role.LEADER:
        for peer in range(len(state.match)):
            yield Offer(peer)
            for prev in range(state.snap, len(state.log) + 1):
                for count in range(len(state.log) - prev + 1):
                    yield Send(peer, prev, count)


def universe(bounds: Sequence[Bounds], *, workers: int = 1) -> Universe:
    """All that is reached within any of these bounds."""
    found = Universe()
    for one in bounds:
        found.add(reached(one, workers))
    return found


def main() -> None:
    """Write universe.json at the documented bounds."""
    found = universe(DOCUMENTED, workers=os.cpu_count() or 1)
    text = json.dumps(found.to_dict(DOCUMENTED), indent=1)
    Path(str(FILE)).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
