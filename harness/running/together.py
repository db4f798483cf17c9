"""Several coroutines at once, of which the first error is the error."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..errors import DelphicError


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Do all at once. If one fails, the others are cancelled and its error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as errors:
        raise first(errors) from None


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to tell: one of ours if there is any, else the first."""
    leaves = list(_leaves(errors))
    return next((leaf for leaf in leaves if isinstance(leaf, DelphicError)), leaves[0])


def _leaves(errors: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in errors.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
