"""Functions about stream tables: create, drop, append, read. Any member takes DDL (V13).

A name is that of an HA table or of an ordinary one (Q8). Whoever creates an HA table looks at the
ordinary ones of the member that is asked and of the leader. Where another member has one of that
name, the HA table hides it there for as long as it lives.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..client.errors import BAD_REQUEST, NO_SUCH_TABLE, TABLE_EXISTS, RequestError
from ..stream.checks import exists
from ..stream.commands import TableOptions
from ..stream.group import TableGroup
from ..stream.ordinary import OrdinaryTables
from .call import Answer, Call, Function
from .forwarding import Ask
from .groups import group_of

Creation = tuple[int, bytes, str, int, tuple[str, ...], int]
"""Group, schema, name, cacheLimit, key columns, retentionMinutes."""


class TableFunctions:
    """A table belongs to one group for ever; who names a table need not name the group."""

    def __init__(
        self,
        alias: str,
        groups: Mapping[int, TableGroup],
        ordinary: OrdinaryTables,
        ask: Ask,
    ) -> None:
        self._alias = alias
        self._groups = groups
        self._ordinary = ordinary
        self._ask = ask

    def functions(self) -> dict[str, Function]:
        """What clients call."""
        return {
            "tableInsert": (tuple[str, bytes, bytes], self._insert),
            "readRows": (tuple[str, int, int | None], self._read),
            "pollRows": (tuple[str, int, int | None], self._poll),
            "haStreamTable": (Creation, self._create),
            "streamTable": (tuple[bytes, str], self._create_ordinary),
            "dropStreamTable": (tuple[str], self._drop),
            "setStreamTableFilterColumn": (tuple[str, str], self._filter),
        }

    def forwarded(self) -> dict[str, Function]:
        """What members let one another do: here or not at all."""
        return {
            "haStreamTable": (Creation, self._create_here),
            "dropStreamTable": (tuple[int, str], self._drop_here),
            "setStreamTableFilterColumn": (tuple[int, str, str], self._filter_here),
        }

    def _insert(self, call: Call, table: str, fingerprint: bytes, body: bytes) -> None:
        if self._is_ordinary(table):
            _try(call, lambda: self._ordinary.append(table, fingerprint, body, call.answer))
            return
        group = self.group_with(table, call.answer)
        if group is not None:
            group.append(table, fingerprint, body, call.answer)

    def _read(self, call: Call, table: str, start: int, limit: int | None) -> None:
        if self._is_ordinary(table):
            self._read_ordinary(call, table, start, limit)
            return
        group = self.group_with(table, call.answer)
        if group is not None:
            group.read(table, start, limit, call.answer, call.when_room)

    def _poll(self, call: Call, table: str, start: int, limit: int | None) -> None:
        if self._is_ordinary(table):
            self._read_ordinary(call, table, start, limit)
            return
        group = self.group_with(table, call.answer)
        if group is not None:
            call.when_room(lambda: _try(call, lambda: call.answer(group.poll(table, start, limit))))

    def _read_ordinary(self, call: Call, table: str, start: int, limit: int | None) -> None:
        call.when_room(
            lambda: _try(call, lambda: call.answer(self._ordinary.read(table, start, limit)))
        )

    def _create_ordinary(self, call: Call, schema: bytes, name: str) -> None:
        if self._known(name) is not None:
            call.answer(exists(name))
        else:
            _try(call, lambda: self._ordinary.create(name, schema, call.answer))

    def _create(self, call: Call, group_id: int, schema: bytes, name: str, *options: Any) -> None:
        group = group_of(self._groups, self._alias, group_id, call.answer)
        if group is None:
            return
        if name in self._ordinary:
            call.answer(exists(name))
            return
        rest = (schema, name, *options)
        leader = group.raft.leader
        if group.raft.is_leader or leader is None:
            self._create_here(call, group_id, *rest)
            return
        args = (group_id, *rest)
        self._ask(leader.alias, "haStreamTable", args, call.answer, group.raft.not_leader())

    def _create_here(
        self,
        call: Call,
        group_id: int,
        schema: bytes,
        name: str,
        cache_limit: int,
        key_columns: tuple[str, ...],
        retention_minutes: int,
    ) -> None:
        group = group_of(self._groups, self._alias, group_id, call.answer)
        if group is None:
            return
        other = self._known(name)
        if name in self._ordinary:
            call.answer(exists(name))
            return
        if other is not None and other is not group:
            message = f"there is already a table {name}, in group {other.id}"
            call.answer(RequestError(TABLE_EXISTS, True, message))
            return
        options = TableOptions(cache_limit, key_columns, retention_minutes)
        group.create(name, schema, options, call.answer)

    def _drop(self, call: Call, table: str) -> None:
        if self._is_ordinary(table):
            _try(call, lambda: self._ordinary.drop(table, call.answer))
            return
        self._at_leader(call, "dropStreamTable", table)

    def _filter(self, call: Call, table: str, column: str) -> None:
        if self._is_ordinary(table):
            message = f"{table} is no table of a group: nobody can subscribe to it"
            call.answer(RequestError(BAD_REQUEST, True, message))
            return
        self._at_leader(call, "setStreamTableFilterColumn", table, column)

    def _at_leader(self, call: Call, function: str, table: str, *args: Any) -> None:
        """Do it here, or let the leader do it if another one is known."""
        group = self.group_with(table, call.answer)
        if group is None:
            return
        leader = group.raft.leader
        if group.raft.is_leader or leader is None:
            self.forwarded()[function][1](call, group.id, table, *args)
            return
        given = (group.id, table, *args)
        self._ask(leader.alias, function, given, call.answer, group.raft.not_leader())

    def _filter_here(self, call: Call, group_id: int, table: str, column: str) -> None:
        group = group_of(self._groups, self._alias, group_id, call.answer)
        if group is not None:
            group.filter_by(table, column, call.answer)

    def _drop_here(self, call: Call, group_id: int, table: str) -> None:
        group = group_of(self._groups, self._alias, group_id, call.answer)
        if group is not None:
            group.drop(table, call.answer)

    def _is_ordinary(self, table: str) -> bool:
        return table in self._ordinary and self._known(table) is None

    def _known(self, table: str) -> TableGroup | None:
        return next((g for g in self._groups.values() if g.has_table(table)), None)

    def group_with(self, table: str, answer: Answer) -> TableGroup | None:
        """Where the table is, as far as this member knows; it hears late of new ones (V13).

        Where there is but one group, its leader can tell. A member that has not caught up since its
        start, or with a new leader, does not say that something is not there.
        """
        group = self._known(table)
        if group is None and len(self._groups) == 1:
            (group,) = self._groups.values()
        if group is None:
            ignorant = next((g for g in self._groups.values() if not g.raft.is_informed), None)
            message = f"{self._alias} knows no table {table}"
            missing = RequestError(NO_SUCH_TABLE, True, message)
            answer(missing if ignorant is None else ignorant.raft.not_leader())
        return group


def _try(call: Call, go: Callable[[], None]) -> None:
    """Do what may be refused at once."""
    try:
        go()
    except RequestError as error:
        call.answer(error)
