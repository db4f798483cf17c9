"""What a scripted node says as the leader of a table with `SCHEMA`."""

import asyncio
from collections.abc import Callable
from typing import Any

from delphic.impl.raft.debts import Answer
from delphic.impl.stream.schema import to_bytes
from delphic.impl.wire import Rows
from members import GROUP, SCHEMA, rows
from scripted_node import ScriptedNode

BEGUN = {
    "start": 0,
    "term": 1,
    "beat_s": 0.02,
    "schema": to_bytes(SCHEMA),
    "sites": [],
    "table": [GROUP, 1],
}
"""It is given up after a silence of 0.08 s."""


def frame(node: ScriptedNode, offset: int, *numbers: int, number: int) -> None:
    """Push rows to whoever is connected."""
    body = rows(*numbers).serialize().to_pybytes()
    for visitor in node.visitors:
        visitor.push(Rows(number, 1, offset, len(numbers), (body,)))


def begins(
    then: Callable[[ScriptedNode, int], None] = lambda node, number: None, **changes: Any
) -> Callable[..., None]:
    """A leader that begins every subscription where it is asked to; other calls it just answers."""

    def script(node: ScriptedNode, function: str, args: tuple[Any, ...], answer: Answer) -> None:
        if function != "subscribeTable":
            answer(None)
            return
        number, _, _, offset, *_ = args[0]
        answer(BEGUN | {"start": max(offset, 0)} | changes)
        then(node, number)

    return script


async def until(true: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(10):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)
