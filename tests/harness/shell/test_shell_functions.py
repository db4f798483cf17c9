"""The functions of the shell: arguments by their documented names and types."""

import asyncio
from datetime import datetime
from typing import Any, ClassVar, cast

import pyarrow as pa
import pytest
from delphic.harness.errors import UsageError
from delphic.harness.shell.functions import FUNCTIONS, SIGNATURES
from delphic.harness.shell.grammar import parse
from delphic.harness.shell.kinds import KINDS, row_batch
from delphic.harness.shell.prompt import completions, prepared
from delphic.harness.shell.show import cells
from delphic.harness.shell.sites import Sites
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.operations import Condition
from delphic.impl.runtime_asyncio import LoopClock
from delphic.impl.stream.types import TYPES, name_of


def bound(text: str) -> dict[str, Any]:
    (call,) = parse(text)
    return FUNCTIONS[call.function].bind(call.args, call.named)


def test_arguments_are_bound_by_place_and_by_documented_name() -> None:
    args = bound('haStreamTable(2, {id: LONG, at: TIMESTAMP}, "trades", keyColumn="id")')
    assert args == {
        "raftGroup": 2,
        "table": pa.schema([("id", pa.int64()), ("at", pa.timestamp("ms"))]),
        "tableName": "trades",
        "cacheLimit": 0,
        "keyColumn": ("id",),
        "retentionMinutes": 1440,
    }


def test_a_filter_is_one_value_or_a_list_of_them() -> None:
    assert bound('subscribeTable("t")')["filter"] is None
    assert bound('subscribeTable("t", filter=5)')["filter"] == (5,)
    assert bound('subscribeTable("t", 0, 10, ["a", "b"])')["filter"] == ("a", "b")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("selct('t')", "no function selct; did you mean 'select'?"),
        ("getStreamingLeader()", "groupId is missing; want getStreamingLeader(groupId INT)"),
        ("getStreamingLeader(2, 3)", "takes at most 1 arguments, not 2"),
        ("getStreamingLeader('2')", "want a whole number, got '2'"),
        ("getStreamingLeader(true)", "want a whole number, got True"),
        ("getStreamingLeader(99999999999999999999)", "the number is too large"),
        ("getStreamingLeader(2, groupId=2)", "groupId is given twice"),
        ("getStreamingLeader(groupId=2, groupId=3)", "column 45: groupId is given twice"),
        ("getStreamingLeader(group=2)", "has no parameter group"),
        ("select(trades)", 'want a string, got trades; write "trades"'),
        ("haStreamTable(2, {id: LOGN}, 't')", "column id: no type LOGN; did you mean 'LONG'?"),
        ("haStreamTable(2, [1], 't')", "want columns, as in {id: LONG, price: DOUBLE}, got [1]"),
        ("tableInsert('t', [1, 2])", "row 1 is no list as long as the first: 1"),
        ("tableInsert('t', [[1], [1, 2]])", "row 2 is no list as long as the first: [1, 2]"),
        ("tableInsert('t', [])", "want rows, as in [[1, 2.5], [2, 3.5]], got []"),
        ("sqlCount('dfs://a', 't', ['id', '>', 5])", 'want conditions, as in [["id", ">", 5]]'),
        ("sqlCount('dfs://a', 't', [['id', 'like', 5]])", "want conditions"),
        ("sqlUpdate('dfs://a', 't', [1])", "want values, as in {price: 2.5}, got [1]"),
        ("database('dfs://a', HASH, LONG, null)", "want a whole number, got null"),
        ("setDatabaseForClusterReplication('dfs://a', 1)", "want true or false, got 1"),
        ("sqlCount('dfs://a', 't', [['id', '>', 99999999999999999999]])", "number is too large"),
        ("sqlUpdate('dfs://a', 't', {id: -99999999999999999999})", "the number is too large"),
        ("subscribeTable('t', 0, null)", "rows: want a whole number, got null"),
        ("subscribeTable('t', 0, 0)", "rows: want 1 or more, got 0"),
        ("subscribeTable('t', rows=-1)", "rows: want 1 or more, got -1"),
        ('select("\\ud800")', "is no text: half of a surrogate pair"),
        ("rpc(getStreamingLeader, 2)", "want rpc(alias STRING, function NAME, [its arguments])"),
        ("rpc('n1', getStreamingLeader)", "groupId is missing"),
        ("pnodeRun()", "want pnodeRun(function NAME, [its arguments])"),
        ("pnodeRun(rpc)", "pnodeRun cannot call rpc: want pnodeRun(function NAME"),
        ("rpc('n1', rpc)", "rpc cannot call rpc: want rpc(alias STRING, function NAME"),
        ("rpc('n1', subscribeTable, 't')", "follows the leader by itself: call it without rpc"),
        ("help(selct)", "no function selct"),
        ("select(", "line 1, column 7: '(' was never closed"),
    ],
)
def test_a_mistake_is_named_before_anything_is_asked(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        prepared(f"nodeStatus(); {text}" if text != "select(" else text)
    assert complaint in str(error.value)


SCHEMA = pa.schema([("id", pa.int32()), ("at", pa.timestamp("ms")), ("name", pa.string())])


def test_rows_become_a_batch_of_the_tables_types() -> None:
    rows = ((1, "2024-01-31 09:30:00.250", "a"), (2, None, "b"))
    assert row_batch(rows, SCHEMA).to_pylist() == [
        {"id": 1, "at": datetime(2024, 1, 31, 9, 30, 0, 250_000), "name": "a"},
        {"id": 2, "at": None, "name": "b"},
    ]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (((1, 2),), "the table has 3 columns, a row 2: id INT, at TIMESTAMP, name STRING"),
        ((("x", 0, "a"),), "column id is INT"),
        (((2**40, 0, "a"),), "column id is INT"),
        (((2.5, 0, "a"),), "column id is INT"),
        (((1, "yesterday", "a"),), "column at is TIMESTAMP"),
        (((1, 0, 5),), "column name is STRING"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_column(rows: Any, complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        row_batch(rows, SCHEMA)
    assert complaint in str(error.value)


WRITTEN = {
    "BOOL": (True, "true"),
    "FLOAT": (0.5, "0.5"),
    "DOUBLE": (0.5, "0.5"),
    "STRING": ("a", "a"),
    "SYMBOL": ("a", "a"),
    "BLOB": ("a", "61"),
    "DATE": ("2024-01-31", "2024-01-31"),
    "TIME": ("09:30:00.250", "09:30:00.250"),
    "DATETIME": ("2024-01-31 09:30:00", "2024-01-31 09:30:00"),
    "TIMESTAMP": ("2024-01-31 09:30:00.250", "2024-01-31 09:30:00.250"),
    "NANOTIME": ("09:30:00.000000001", "09:30:00.000000001"),
    "NANOTIMESTAMP": ("2024-01-31 09:30:00.123456789", "2024-01-31 09:30:00.123456789"),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_column_of_every_type_can_be_written_and_read(name: str) -> None:
    value, text = WRITTEN.get(name, (5, "5"))
    for rows, shown in ((((value,), (None,)), [[text], ["null"]]), (((None,),), [["null"]])):
        batch = row_batch(rows, pa.schema([("x", TYPES[name])]))
        assert cells(pa.table(batch))[1] == shown


def test_every_documented_type_has_one_arrow_type_and_a_name_that_leads_back() -> None:
    assert {name for name, kind in TYPES.items() if name_of(kind) != name} == {"SYMBOL"}
    assert name_of(pa.decimal128(5, 2)) == "decimal128(5, 2)"


def test_every_parameter_has_a_kind_that_is_known() -> None:
    used = {p.kind for function in FUNCTIONS.values() for p in function.parameters}
    assert used <= KINDS.keys()


class Scripted:
    """Answers with what was prepared, and remembers what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    @property
    def clock(self) -> LoopClock:
        return LoopClock(asyncio.get_running_loop())

    async def call(self, function: str, args: tuple[Any, ...] = (), *, timeout_s: float) -> Any:
        self.asked.append((function, args))
        if function == "tableInsert" and isinstance(self.answer, RequestError):
            raise self.answer
        schema = pa.schema([("id", pa.int64())]).serialize().to_pybytes()
        return {"schema": schema, "batches": [], "end": 0, "table": [2, 1]}


def test_a_function_without_code_of_its_own_is_passed_on_as_it_is() -> None:
    caller = Scripted(None)
    args = bound('getPersistenceMeta("t")')
    asyncio.run(FUNCTIONS["getPersistenceMeta"].ask(caller, args, 1.0))
    assert caller.asked == [("getPersistenceMeta", ("t",))]


@pytest.mark.parametrize(("definite", "told"), [(False, True), (True, False)])
def test_an_append_of_unknown_fate_is_said_to_be_one(definite: bool, told: bool) -> None:
    caller = Scripted(RequestError("Indeterminate", definite, "stepped down"))
    args = bound('tableInsert("t", [[1]])')
    with pytest.raises(RequestError) as error:
        asyncio.run(FUNCTIONS["tableInsert"].ask(caller, args, 1.0))
    assert ("nobody knows whether the rows are stored" in str(error.value)) is told
    assert error.value.definite is definite


def test_conditions_values_and_partitions_are_read() -> None:
    args = bound(
        'sqlUpdate("dfs://a", "t", {n: 1, x: null}, [["id", "in", [1, 2]], ["x", "=", "a"]])'
    )
    assert args["values"] == {"n": 1, "x": None}
    assert args["filter"] == (Condition("id", "in", (1, 2)), Condition("x", "=", "a"))
    assert bound('database("dfs://a", VALUE, DATE, ["2023-01-08"])') == {
        "path": "dfs://a",
        "partitionType": "VALUE",
        "columnType": "DATE",
        "partitions": ("2023-01-08",),
    }
    assert bound('database("dfs://a", "HASH", LONG, 5)')["partitions"] == 5


def test_what_controllers_do_is_asked_of_their_leader() -> None:
    class Cluster:
        asked: ClassVar[list[tuple[str, tuple[Any, ...]]]] = []

        async def call(self, function: str, args: tuple[Any, ...] = (), *, timeout_s: float) -> Any:
            self.asked.append((function, args))
            return "c2" if function == "getControllerAlias" else None

    caller = Cluster()
    args = bound("skipClusterReplicationTask([3, 4])")
    asyncio.run(FUNCTIONS["skipClusterReplicationTask"].ask(caller, args, 1.0))
    skip = ("rpc", ("c2", "skipClusterReplicationTask", ((3, 4),)))
    assert caller.asked == [("getControllerAlias", ()), skip]


class Nodes:
    """Two nodes; the second is away."""

    timeout_s = 1.0
    aliases: ClassVar[list[str]] = ["n1", "n2"]

    def __init__(self, *rows: pa.RecordBatch | dict[str, Any]) -> None:
        self.answer = rows[0]

    @property
    def clock(self) -> LoopClock:
        return LoopClock(asyncio.get_running_loop())

    async def node(self, alias: str) -> Any:
        if alias == "n2":
            raise RequestError("Disconnected", True, "away")
        return self

    async def call(self, function: str, args: tuple[Any, ...] = (), *, timeout_s: float) -> Any:
        if isinstance(self.answer, dict):
            return self.answer
        schema = self.answer.schema.serialize().to_pybytes()
        batch = self.answer.serialize().to_pybytes()
        return {"schema": schema, "batches": [batch], "end": 1, "table": [2, 1]}


def everywhere(text: str, answer: Any) -> Any:
    ((_, ready),) = prepared(text)
    return asyncio.run(ready(cast(Sites, Nodes(answer))))


def test_rows_of_tables_stay_theirs_when_all_nodes_are_asked() -> None:
    rows = pa.record_batch({"node": ["mine", "m"], "fooTime": [5, 0]})
    told = everywhere('pnodeRun(select, "t")', rows)
    assert told[:2] == [
        {"node": "mine", "fooTime": 5, "node_": "n1"},
        {"node": "m", "fooTime": 0, "node_": "n1"},
    ]
    away = "Disconnected (not executed): away"
    assert cells(told) == (
        ["node", "fooTime", "error", "node_"],
        [["mine", "5", "", "n1"], ["m", "0", "", "n1"], ["", "", away, "n2"]],
    )


def test_a_status_says_where_from_and_when() -> None:
    names, lines = cells(everywhere("pnodeRun(nodeStatus)", {"startTime": 5, "up": True}))
    assert names == ["startTime", "up", "error", "node"]
    assert lines[0] == ["1970-01-01 00:00:00.000000005", "true", "", "n1"]


def test_words_are_completed_to_functions_and_types() -> None:
    assert completions("getStreamingL") == ["getStreamingLeader("]
    assert completions("TIMES") == ["TIMESTAMP"]
    assert completions("pn") == ["pnodeRun("]
    assert set(SIGNATURES) == {word[:-1] for word in completions("") if word[:-1] in SIGNATURES}
