"""The end of a run with slaves: mend them, wait until all has arrived, read all of it."""

import random
from collections.abc import Mapping
from typing import Any

from ..language.sides import MASTER, Side
from .replicate_roles import Ended, Known, Script, sure, write_right
from .workload import Step

LOST = "missing taskdata"
"""What the details of a task say whose data is lost: no start helps, only a skip."""


class Settling:
    """Whoever puts a run to rest."""

    def __init__(self, known: Known, found: Mapping[str, Side], chance: random.Random) -> None:
        self._known = known
        self._found = found
        self._chance = chance
        self._script = self._settle()
        self._ended: Ended = None
        self.is_done = False
        self._arrived: set[str] = set()

    def next(self) -> Step | None:
        """What to do now; None once everything has arrived."""
        ended, self._ended = self._ended, None
        try:
            return self._script.send(ended)
        except StopIteration:
            self.is_done = True
            return None

    def completed(self, step: Step, value: Any) -> None:
        self._ended = (value,)

    def final(self) -> tuple[Step, ...]:
        """All status tables, and every table at every data node."""
        master = self._found[MASTER]
        steps = [Step("queue", None, MASTER, master.data[0])]
        steps += [Step("slaves", None, MASTER, master.data[0])]
        steps += [Step("flags", None, MASTER, master.data[0])]
        for side in self._slaves:
            steps.append(Step("metrics", None, side.name, side.data[0]))
            steps.append(Step("tasks", None, side.name, side.data[-1]))
        for side in self._found.values():
            for node in side.data:
                steps += [Step("read", {"p": None}, p.path, node) for p in self._known.places]
                if self._known.bulk is not None:
                    steps.append(Step("count", None, self._known.bulk.path, node))
        return tuple(steps)

    @property
    def _slaves(self) -> list[Side]:
        return [side for name, side in self._found.items() if name != MASTER]

    def _settle(self) -> Script:
        chance, master = self._chance, self._found[MASTER]
        yield from sure(Step("start", None, MASTER), master.data, chance)
        for side in self._slaves:
            for database in self._known.databases:
                step = Step("grant", write_right(database), side.name)
                yield from sure(step, side.data, chance)
            yield from sure(Step("start", None, side.name), side.data, chance)
        while True:
            queue = yield Step("queue", None, MASTER, chance.choice(master.data))
            self._arrived.clear()
            for side in self._slaves:
                yield from self._look(side, queue)
            is_empty = queue is not None and all(row[6] for row in queue[0])
            if is_empty and len(self._arrived) == len(self._slaves):
                return

    def _look(self, side: Side, queue: Ended) -> Script:
        """Whether this slave has finished what the queue shows; mend it where it is STOPPED."""
        chance = self._chance
        tasks = yield Step("tasks", None, side.name, chance.choice(side.data))
        metrics = yield Step("metrics", None, side.name, chance.choice(side.data))
        if tasks is None or metrics is None:
            return
        if metrics[0]["status"] == "STOPPED":
            # What stopped it may have failed since the tasks were looked at, and a start forgets.
            tasks = yield Step("tasks", None, side.name, chance.choice(side.data))
            if tasks is None:
                return
            failed = [row for row in tasks[0] if row[6] == "FAILED"]
            lost = [row[0] for row in failed if LOST in row[8].lower()]
            if lost:
                yield Step("skip", lost, side.name, chance.choice(side.data))
            yield from sure(Step("start", None, side.name), side.data, chance)
            return
        finished = {row[0] for row in tasks[0] if row[6] == "FINISH"}
        if queue is not None and finished.issuperset(row[0] for row in queue[0]):
            self._arrived.add(side.name)
