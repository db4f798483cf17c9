"""A pool of processes, of which one dies with its third piece of work."""

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any


class DyingPool:
    """In place of ProcessPoolExecutor: `answer` makes the first two results of what was asked."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer
        self._count = 0

    def __call__(self, *_: Any, **__: Any) -> "DyingPool":
        self._count = 0
        return self

    def __enter__(self) -> "DyingPool":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def submit(self, _: object, *asked: Any) -> "Future[Any]":
        self._count += 1
        if self._count > 4:
            raise BrokenProcessPool
        future = Future[Any]()
        if self._count < 3:
            future.set_result(self._answer(*asked))
        else:
            future.set_exception(BrokenProcessPool())
        return future

    def shutdown(self, **_: Any) -> None:
        return None
