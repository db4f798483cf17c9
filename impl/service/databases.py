"""Functions about databases and partitioned tables: any data node takes them; see docs/cluster.md.

Metadata operations are the controllers'; a write is coordinated, and a read put together, by the
data node that is asked.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from ..client.errors import NO_SUCH_TABLE, RequestError
from ..cluster.changes import Append, Change, Delete, Update, Upsert
from ..cluster.commands import Statement
from ..cluster.contract import Controllers, Described, DescribedTable, understood
from ..cluster.coordinator import Coordinator
from ..cluster.filters import refused
from ..cluster.operations import Filter, Operation, Scalar, Scheme
from ..cluster.partitions import check_column, check_scheme
from ..cluster.reading import Query, Reading
from ..cluster.writes import OPERATIONS, Write, encode
from ..stream.schema import SchemaError, from_bytes, to_bytes
from ..stream.types import TYPES
from .call import Answer, Call, Function

_Insert = tuple[str, str, bytes, memoryview]
"""Path, table, fingerprint of the columns, rows in Arrow IPC form."""


class DatabaseFunctions:
    """Of one data node."""

    def __init__(
        self,
        controllers: Controllers,
        coordinator: Coordinator,
        reading: Reading,
        stream_insert: Function,
    ) -> None:
        """`stream_insert` appends to a stream table: it has the name of `tableInsert`, too."""
        self._controllers = controllers
        self._coordinator = coordinator
        self._reading = reading
        self._stream_insert = stream_insert

    def functions(self) -> dict[str, Function]:
        """By their documented names."""
        path, table = tuple[str], tuple[str, str]
        drop_table, truncate = Operation.DROP_TABLE, Operation.TRUNCATE_TABLE
        return {
            "database": (tuple[str, str, str, tuple[int | str, ...] | int], self._create),
            "dropDatabase": (path, lambda call, *a: self._ddl(call, Operation.DROP_DB, *a)),
            "existsDatabase": (path, self._exists),
            "createPartitionedTable": (tuple[str, str, bytes, str], self._create_table),
            "dropTable": (table, lambda call, *a: self._ddl(call, drop_table, *a)),
            "dropPartition": (tuple[str, str, tuple[str, ...]], self._drop_partition),
            "truncate": (table, lambda call, *a: self._ddl(call, truncate, *a)),
            "existsTable": (table, self._exists_table),
            "schema": (tuple[str, ...], self._schema),
            "loadTable": (table, self._load),
            "tableInsert": (tuple[Any, ...], self._insert),
            "upsert": (tuple[str, str, bytes, memoryview, tuple[str, ...]], self._upsert),
            "sqlUpdate": (tuple[str, str, dict[str, Scalar], Filter], self._update),
            "sqlDelete": (tuple[str, str, Filter], self._delete),
            "sqlSelect": (
                tuple[str, str, tuple[str, ...], Filter, int | None],
                self._select,
            ),
            "sqlCount": (tuple[str, str, Filter], self._count),
        }

    # Metadata.

    def _create(
        self,
        call: Call,
        path: str,
        kind: str,
        column_type: str,
        partitions: tuple[int | str, ...] | int,
    ) -> None:
        """`partitions`: a number of buckets (HASH), values, or ascending borders (RANGE)."""
        given = TYPES.get(column_type)
        name = column_type if given is None else str(given)
        try:
            if isinstance(partitions, int):
                scheme = _scheme(kind, name, (), partitions)
            else:
                scheme = _scheme(kind, name, partitions, 0)
        except RequestError as error:
            call.answer(error)
            return
        self._propose(call, Statement(Operation.CREATE_DOMAIN, path, scheme=scheme))

    def _create_table(self, call: Call, path: str, table: str, schema: bytes, column: str) -> None:
        try:
            made = from_bytes(schema)
        except SchemaError as error:
            call.answer(refused(str(error)))
            return

        def checked(found: Described) -> None:
            check_column(found.scheme, made, column)
            operation, plain = Operation.CREATE_PARTITIONED_TABLE, to_bytes(made)
            self._propose(call, Statement(operation, path, table, found.scheme, plain, column))

        # Whether the caller may do it is decided when it is done.
        self._describe(None, path, checked, call.answer)

    def _drop_partition(self, call: Call, path: str, table: str, keys: tuple[str, ...]) -> None:
        self._propose(call, Statement(Operation.DROP_PARTITION, path, table, keys=keys))

    def _ddl(self, call: Call, operation: Operation, path: str, table: str = "") -> None:
        self._propose(call, Statement(operation, path, table))

    def _propose(self, call: Call, statement: Statement) -> None:
        self._controllers.ask("ddl", (call.user, statement, None), call.answer)

    def _exists(self, call: Call, path: str) -> None:
        def told(found: Any) -> None:
            known = understood(list[dict[str, Any]], found)
            if isinstance(known, RequestError):
                call.answer(known)
            else:
                call.answer(any(one.get("dbName") == path for one in known))

        self._controllers.ask("databases", (), told)

    def _exists_table(self, call: Call, path: str, table: str) -> None:
        def told(found: Any) -> None:
            known = understood(list[dict[str, Any]], found)
            if isinstance(known, RequestError):
                call.answer(known)
            else:
                there = [one for one in known if one.get("dbName") == path]
                call.answer(any(table in one.get("tables", ()) for one in there))

        self._controllers.ask("databases", (), told)

    def _schema(self, call: Call, path: str = "", *tables: str) -> None:
        def found(database: Described) -> None:
            scheme = database.scheme
            told: dict[str, Any] = {
                "databaseDir": path,
                "partitionType": scheme.kind,
                "partitionColumnType": scheme.type,
                "partitionSchema": list(scheme.values) or scheme.buckets,
                "clusterReplicationEnabled": database.replicated,
                "tables": sorted(database.tables),
            }
            if tables:
                table = _table_of(database, path, tables[0])
                fields = [
                    {"name": field.name, "type": str(field.type)}
                    for field in from_bytes(table.schema)
                ]
                told |= {"colDefs": fields, "partitionColumnName": table.column}
            call.answer(told)

        if not path or len(tables) > 1:
            call.answer(refused("schema(path) or schema(path, table)"))
        else:
            self._describe(call.user, path, found, call.answer)

    def _load(self, call: Call, path: str, name: str) -> None:
        def found(database: Described) -> None:
            table = _table_of(database, path, name)
            call.answer(
                {
                    "schema": table.schema,
                    "partitionColumn": table.column,
                    "partitions": {key: node for key, (_, node) in sorted(table.chunks.items())},
                }
            )

        self._describe(call.user, path, found, call.answer)

    def _describe(
        self,
        user: str | None,
        path: str,
        found: Callable[[Described], None],
        answer: Answer,
    ) -> None:
        def told(value: Any) -> None:
            described = understood(Described, value)
            if isinstance(described, RequestError):
                answer(described)
                return
            try:
                found(described)
            except RequestError as error:
                answer(error)

        self._controllers.ask("describe", (user, path), told)

    # Rows.

    def _insert(self, call: Call, *args: Any) -> None:
        """Into a partitioned table, or into a stream table, which has one name only."""
        signature, handler = self._stream_insert if len(args) == 3 else (_Insert, self._append)
        try:
            converted = msgspec.convert(args, signature)
        except msgspec.ValidationError as error:
            call.answer(refused(f"tableInsert: {error}"))
            return
        handler(call, *converted)

    def _append(
        self, call: Call, path: str, table: str, fingerprint: bytes, body: memoryview
    ) -> None:
        self._write(call, path, table, Append(body), fingerprint)

    def _upsert(
        self,
        call: Call,
        path: str,
        table: str,
        fingerprint: bytes,
        body: memoryview,
        keys: tuple[str, ...],
    ) -> None:
        self._write(call, path, table, Upsert(body, keys), fingerprint)

    def _update(
        self, call: Call, path: str, table: str, values: dict[str, Scalar], conditions: Filter
    ) -> None:
        self._write(call, path, table, Update(tuple(values.items()), conditions))

    def _delete(self, call: Call, path: str, table: str, conditions: Filter) -> None:
        self._write(call, path, table, Delete(conditions))

    def _write(
        self, call: Call, path: str, table: str, change: Change, fingerprint: bytes = b""
    ) -> None:
        payload = encode(Write(change, fingerprint))
        operation = OPERATIONS[type(change)]
        self._coordinator.execute(call.user, operation, path, table, payload, None, call.answer)

    def _select(
        self,
        call: Call,
        path: str,
        table: str,
        columns: tuple[str, ...],
        conditions: Filter,
        limit: int | None,
    ) -> None:
        self._reading.read(Query(call.user, path, table, columns, conditions, limit), call.answer)

    def _count(self, call: Call, path: str, table: str, conditions: Filter) -> None:
        self._reading.read(Query(call.user, path, table, None, conditions), call.answer)


def _scheme(kind: str, name: str, values: tuple[int | str, ...], buckets: int) -> Scheme:
    try:
        scheme = msgspec.convert((kind, name, values, buckets), Scheme)
    except msgspec.ValidationError as error:
        raise refused(f"{kind}: want VALUE, HASH or RANGE: {error}") from None
    check_scheme(scheme)
    return scheme


def _table_of(database: Described, path: str, name: str) -> DescribedTable:
    found = database.tables.get(name)
    if found is None:
        raise RequestError(NO_SUCH_TABLE, True, f"{path} has no table {name}")
    return found
