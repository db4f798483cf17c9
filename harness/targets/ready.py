"""Whether a member has come up: it greets clients."""

import asyncio
from collections.abc import Awaitable, Callable

from ..system import Connection

_ASK_S, _ASK_AGAIN_S = 1.0, 0.02


async def answers(
    ask: Callable[[float], Awaitable[Connection | None]],
    is_over: Callable[[], bool],
    within_s: float,
) -> bool:
    """Wait until the member greets a client; False once it `is_over`, or takes longer.

    `ask` opens a connection, and is given how many seconds that may take.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while (left_s := deadline - loop.time()) > 0:
        connection = await ask(min(left_s, _ASK_S))
        if connection is not None:
            connection.close()
            return True
        if is_over():
            return False
        await asyncio.sleep(_ASK_AGAIN_S)
    return False
