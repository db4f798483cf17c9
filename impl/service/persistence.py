"""Functions that tell how tables are kept, and what the node's streaming does at this moment."""

from collections.abc import Callable, Mapping
from typing import Any

from ..client.errors import RequestError
from ..raft.debts import CALLS_MAX
from ..raft.group import Group
from ..stream.ordinary import OrdinaryTables
from .call import Call, Function

Rows = Callable[[], list[dict[str, Any]]]
"""The rows of a table, each by column."""

STREAMING_STAT = ("pubConns", "subConns", "pubTables", "persistWorkers", "subWorkers")
"""The tables of getStreamingStat."""


class PersistenceFunctions:
    """Looks on: nothing here changes anything. What is told is this node's view."""

    def __init__(
        self, groups: Mapping[int, Group], ordinary: OrdinaryTables, stat: Mapping[str, Rows]
    ) -> None:
        """`stat`: whoever else has rows for a table of getStreamingStat, by its name."""
        assert stat.keys() <= set(STREAMING_STAT)
        self._groups = groups
        self._ordinary = ordinary
        self._stat = {"persistWorkers": self._workers, **stat}

    def functions(self) -> dict[str, Function]:
        """By their documented names."""
        return {
            "getPersistenceMeta": (tuple[str], self._meta),
            "getStreamingStat": (tuple[()], self._streaming),
        }

    def _meta(self, call: Call, table: str) -> None:
        group = next((g for g in self._groups.values() if g.has_table(table)), None)
        try:
            if group is None:
                call.answer(self._ordinary.persistence(table))
            else:
                call.answer(group.tables.persistence(table) | {"raftGroup": group.id})
        except RequestError as error:
            call.answer(error)

    def _streaming(self, call: Call) -> None:
        call.answer(
            {name: self._stat[name]() if name in self._stat else [] for name in STREAMING_STAT}
        )

    def _workers(self) -> list[dict[str, Any]]:
        """A row for each log: a group's, and that of all ordinary tables. One thread syncs all."""
        groups = self._groups.values()
        logs = [(group.persister.waiting_count, group.tables.names) for group in groups]
        logs.append((self._ordinary.waiting_count, self._ordinary.names))
        return [
            {
                "workerId": number,
                "queueDepthLimit": CALLS_MAX,
                "queueDepth": depth,
                "tables": ",".join(names),
            }
            for number, (depth, names) in enumerate(logs)
        ]
