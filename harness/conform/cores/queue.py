"""The master's queue, as the traces of its controllers tell it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...traces import CoreRecord

Queue = Mapping[int, list[Any]]
"""Tasks by id, whole: id, group, and what the transaction was."""


def enqueued(traces: Mapping[str, Sequence[CoreRecord]]) -> Queue:
    """All tasks that any controller of the master put into its queue, or began with.

    Truncated ones that a checkpoint still shows are there in outline, and are left out.
    """
    found: dict[int, list[Any]] = {}
    for records in traces.values():
        for record in records:
            if record.group != "master":
                continue
            if record.event["kind"] == "boot":
                state = record.event["state"]
                tasks = [task for task in state["tasks"] if task[0] >= state["head"]]
            else:
                task = (record.out or {}).get("enqueued")
                tasks = [] if task is None else [task]
            for task in tasks:
                found.setdefault(task[0], task)
    return found
