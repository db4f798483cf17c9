"""What the shell can call: one line a function, in `FUNCTIONS`.

The line is what `help` shows: the documented name, its parameters with their kinds, in brackets
those that may be left out. Where a node takes the arguments as they are, nothing more is to do.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from ...impl.client import functions
from ...impl.client.cursor import LATEST
from ...impl.client.errors import INDETERMINATE, RequestError
from ...impl.client.functions import Caller
from ...impl.stream.commands import RETENTION_MINUTES
from ..errors import UsageError
from ..language.selector import closest
from .databases import DATABASES
from .function import Args, Function, Parameter, optional
from .grammar import Invocation, Value
from .kinds import row_batch
from .receive import received
from .show import Everywhere, records
from .sites import Sites


async def _create(caller: Caller, args: Args, timeout_s: float) -> None:
    await functions.create_table(
        caller,
        args["raftGroup"],
        args["tableName"],
        args["table"],
        cache_limit=args["cacheLimit"],
        key_columns=args["keyColumn"],
        retention_minutes=args["retentionMinutes"],
        timeout_s=timeout_s,
    )


async def _create_local(caller: Caller, args: Args, timeout_s: float) -> None:
    await functions.create_ordinary_table(
        caller, args["tableName"], args["table"], timeout_s=timeout_s
    )


async def _insert(caller: Caller, args: Args, timeout_s: float) -> dict[str, Any]:
    name = args["tableName"]
    schema = (await functions.read(caller, name, 0, 0, timeout_s=timeout_s)).schema
    batch = row_batch(args["rows"], schema)
    try:
        inserted = await functions.insert(caller, name, batch, timeout_s=timeout_s)
    except RequestError as error:
        if error.definite:
            raise
        message = f"{error.message}; nobody knows whether the rows are stored, look: select"
        raise RequestError(INDETERMINATE, False, message) from error
    return {"offset": inserted.offset, "rows": inserted.rows}


async def _select(caller: Caller, args: Args, timeout_s: float) -> pa.Table:
    start, limit = args["offset"], args["limit"]
    return await functions.read(caller, args["tableName"], start, limit, timeout_s=timeout_s)


_GROUP = Parameter("groupId", "INT")
_TABLE = Parameter("tableName", "STRING")
_ROWS = (_TABLE, optional("offset", "INT", 0), optional("limit", "INT"))
_COLUMNS = (
    Parameter("raftGroup", "INT"),
    Parameter("table", "SCHEMA"),
    _TABLE,
    optional("cacheLimit", "INT", 0),
    optional("keyColumn", "NAMES", ()),
    optional("retentionMinutes", "INT", RETENTION_MINUTES),
)
_LOCAL = (Parameter("table", "SCHEMA"), _TABLE)
_USER = (Parameter("user", "STRING"), Parameter("password", "STRING"))

FUNCTIONS = {
    function.name: function
    for function in (
        Function("getStreamingRaftGroups", (), "The groups of the node that answers."),
        Function("getStreamingLeader", (_GROUP,), "The alias of a group's leader."),
        Function("haStreamTable", _COLUMNS, "Creates a table on all members.", _create),
        Function("tableInsert", (_TABLE, Parameter("rows", "ROWS")), "Appends a batch.", _insert),
        Function("select", _ROWS, "Rows from an offset on, linearizably.", _select),
        Function("readRows", _ROWS, "The same as select.", _select),
        Function("dropStreamTable", (_TABLE,), "Drops a table on all members."),
        Function(
            "setStreamTableFilterColumn",
            (_TABLE, Parameter("columnName", "STRING")),
            "Lets subscribers choose rows by their values there.",
        ),
        Function("streamTable", _LOCAL, "Creates a table on the node that answers.", _create_local),
        Function(
            "subscribeTable",
            (
                _TABLE,
                optional("offset", "INT", LATEST),
                optional("rows", "COUNT", 10),
                optional("filter", "LIST"),
            ),
            "Shows so many rows as they come: from an offset on, or new ones (-1).",
            follow=received,
        ),
        Function("nodeStatus", (), "The node that answers: starts, links, syncs."),
        Function("raftStatus", (_GROUP,), "A member's role, term, log and tables."),
        Function("getPersistenceMeta", (_TABLE,), "What is in memory and what on disk."),
        Function("getStreamingStat", (), "Publishers, subscribers and workers of a node."),
        Function("login", _USER, "Says who you are."),
        *DATABASES,
    )
}

RPC = "rpc"
EVERYWHERE = "pnodeRun"
SIGNATURES = {
    **{name: function.signature for name, function in FUNCTIONS.items()},
    RPC: f"{RPC}(alias STRING, function NAME, [its arguments])",
    EVERYWHERE: f"{EVERYWHERE}(function NAME, [its arguments])",
}
SAYS = {
    **{name: function.says for name, function in FUNCTIONS.items()},
    RPC: "Calls a function on that very node.",
    EVERYWHERE: "Calls a function on every node; the result says where from.",
}

Ready = Callable[[Sites], Awaitable[Any]]
"""A call whose words are understood: only asking is left."""


def understood(call: Invocation) -> Ready:
    """Look up a call's function and check its arguments. Raises UsageError."""
    if call.function not in (RPC, EVERYWHERE):
        function, args = _bound(call.function, call.args, call.named)
        return partial(_on_leader, function, args)
    words = list(call.args)
    alias = words.pop(0) if call.function == RPC and words else ""
    name = getattr(words[0], "word", words[0]) if words else None
    if not isinstance(alias, str) or not isinstance(name, str):
        raise UsageError(f"{call.function}: want {SIGNATURES[call.function]}")
    if name in (RPC, EVERYWHERE):
        raise UsageError(f"{call.function} cannot call {name}: want {SIGNATURES[call.function]}")
    function, args = _bound(name, words[1:], call.named)
    if function.follow is not None:
        raise UsageError(f"{name} follows the leader by itself: call it without {call.function}")
    return partial(_on_one if call.function == RPC else _on_all, function, args, alias)


def _bound(
    name: str, args: Sequence[Value], named: Mapping[str, Value]
) -> tuple[Function, dict[str, Any]]:
    if name not in FUNCTIONS:
        raise UsageError(f"no function {name}{closest(name, list(SIGNATURES))}")
    return FUNCTIONS[name], FUNCTIONS[name].bind(args, named)


async def _on_leader(function: Function, args: Args, sites: Sites) -> Any:
    if function.follow is not None:
        return await function.follow(sites, args)
    return await function.ask(sites.session, args, sites.timeout_s)


async def _on_one(function: Function, args: Args, alias: str, sites: Sites) -> Any:
    return await function.ask(await sites.node(alias), args, sites.timeout_s)


async def _on_all(function: Function, args: Args, _: str, sites: Sites) -> Everywhere:
    """One line a row of a node's result, with the node's alias; fails if nobody answers."""

    async def ask(alias: str) -> Any:
        try:
            return await _on_one(function, args, alias, sites)
        except RequestError as error:
            return error

    answers = await asyncio.gather(*(ask(alias) for alias in sites.aliases))
    if all(isinstance(answer, RequestError) for answer in answers):
        raise answers[0]
    lines = zip(sites.aliases, answers, strict=True)
    return Everywhere(
        [(alias, row) for alias, answer in lines for row in _rows(answer)],
        are_theirs=any(isinstance(answer, pa.Table) for answer in answers),
    )


def _rows(answer: Any) -> list[dict[str, Any]]:
    match answer:
        case RequestError():
            return [{"error": str(answer)}]
        case pa.Table():
            return records(answer)
        case dict():
            return [answer]
        case list():
            return [row if isinstance(row, dict) else {"value": row} for row in answer]
    return [{"value": answer}]
