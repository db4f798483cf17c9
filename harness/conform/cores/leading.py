"""What a slave's leader may ask for, as far as its own trace tells."""

from collections.abc import Iterable, Sequence
from typing import Any

from ...traces import CoreRecord
from .finding import Unlike


class Leading:
    """Who leads, and which tasks somebody can have dispatched. `nodes`: in configured order."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = nodes
        self.leads = False
        self._dispatched: set[int] = set()

    def inherit(self, current: Iterable[int]) -> None:
        """Tasks of the current group: an earlier leader may have dispatched them.

        Its last lines may be lost with it. What becomes current later it cannot have dispatched:
        who leads has applied all that it had (PR-4).
        """
        self._dispatched.update(current)

    def heard(self, record: CoreRecord) -> None:
        """News, of who leads or is about to. Raises Unlike."""
        kind = record.event["kind"]
        if not self.leads and kind != "led":
            raise Unlike(record, "step", "news", "of who leads", kind)
        self.leads = kind != "stooddown"
        if record.post["leads"] != self.leads:
            raise Unlike(record, "step", "leads", self.leads, record.post["leads"])
        if record.out and not self.leads:
            raise Unlike(record, "step", "what it asks for", [], record.out)

    def dispatches(self, record: CoreRecord, effect: dict[str, Any]) -> None:
        """H2: the task's id tells the data node. Raises Unlike."""
        task, node = effect["task"], effect["node"]
        if self._nodes and node != (expected := self._nodes[task % len(self._nodes)]):
            raise Unlike(record, "step", "data node", expected, node)
        self._dispatched.add(task)

    def commits(self, record: CoreRecord, task: int) -> None:
        """Where this controller leads, somebody dispatched the task. Raises Unlike."""
        if self.leads and task not in self._dispatched:
            raise Unlike(record, "step", "task that commits", "one that was dispatched", task)
        self._dispatched.discard(task)

    def asks(self, record: CoreRecord, effect: dict[str, Any]) -> None:
        """A proposal or an alarm: of what the news is about. Raises Unlike."""
        event = record.event
        about = event.get("task", (event.get("entry") or {}).get("task", 0))
        if effect["kind"] == "arm":
            expected = 0 if effect["wait"] == "pull" else about
            if effect["task"] != expected:
                raise Unlike(record, "step", "task of an alarm", expected, effect["task"])
            return
        entry = effect.get("entry") or {}
        told: tuple[Any, ...] = (entry.get("kind"), entry.get("tasks", entry.get("task")))
        allowed: tuple[Any, ...] = ("nothing", None)
        if event["kind"] == "pullanswered":
            allowed = ("queued", event["tasks"])
        elif event["kind"] == "attemptended" and event["ending"] == "failed":
            allowed = ("failed", about)
        if effect["kind"] != "propose" or told != allowed:
            raise Unlike(record, "step", effect["kind"], allowed, told)
