"""Functions that tell how tables are kept, and what the node's streaming does at this moment."""

from collections.abc import Mapping
from typing import Any

from ..client.errors import RequestError
from ..raft.debts import CALLS_MAX
from ..stream.broker import Link
from ..stream.group import TableGroup
from ..stream.ordinary import OrdinaryTables
from .call import Call, Function


class PersistenceFunctions:
    """Looks on: nothing here changes anything. What is told is this node's view."""

    def __init__(self, groups: Mapping[int, TableGroup], ordinary: OrdinaryTables) -> None:
        self._groups = groups
        self._ordinary = ordinary

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
            {
                "pubConns": self._connections(),
                "subConns": [],
                "pubTables": self._published(),
                "persistWorkers": self._workers(),
                "subWorkers": [],
            }
        )

    def _connections(self) -> list[dict[str, Any]]:
        """A row for each subscriber's connection. Its rows wait in the tables, in no queue."""
        waiting: dict[Link, list[tuple[str, int]]] = {}
        for group in self._groups.values():
            for found in group.broker.subscriptions:
                table = found.ask.table
                behind = max(0, group.tables.table(table).rows - found.next)
                waiting.setdefault(found.link, []).append((table, behind))
        return [
            {
                "client": link.peer,
                "queueDepthLimit": -1,
                "queueDepth": sum(behind for _, behind in tables),
                "tables": ",".join(sorted({table for table, _ in tables})),
            }
            for link, tables in waiting.items()
        ]

    def _published(self) -> list[dict[str, Any]]:
        """A row for each subscription: `msgOffset` is that of the next row to be sent."""
        return [
            {
                "tableName": found.ask.table,
                "subscriber": found.link.peer,
                "msgOffset": found.next,
                "actions": found.ask.action,
            }
            for group in self._groups.values()
            for found in group.broker.subscriptions
        ]

    def _workers(self) -> list[dict[str, Any]]:
        """A row for each log: a group's, and that of all ordinary tables. One thread syncs all."""
        groups = self._groups.values()
        logs = [(group.raft.persister.waiting_count, group.tables.names) for group in groups]
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
