"""Salted hashes of passwords, slow on purpose (scrypt), made and compared beside the loop.

One at a time and with pauses: whoever guesses passwords is slow for everybody, and the syncs of
logs that share the worker go on.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from .client.errors import OVERLOADED, RequestError
from .runtime import Runtime

COST, BLOCK, LANES = 1 << 14, 8, 1
"""scrypt's n, r and p: 16 MiB and some 50 ms a password."""

KEY_BYTES = 32
SALT_WORDS = 4
PAUSE_S = 0.1
"""Between two passwords."""

WAITING_MAX = 100


class Hash(msgspec.Struct, frozen=True):
    """What is kept of a password, with all that is needed to compare."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    def matches(self, password: str) -> bool:
        """Takes as long for a wrong password as for the right one."""
        return hmac.compare_digest(self.key, _key(password, self.salt, self.n, self.r, self.p))


NOBODY = Hash(COST, BLOCK, LANES, b"", b"")
"""No password matches."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[], Any]
    done: Callable[[Any], None]
    is_wanted: Callable[[], bool]


def _always() -> bool:
    return True


class Hashing:
    """Works on passwords, in the order of asking."""

    def __init__(self, runtime: Runtime) -> None:
        self._clock = runtime.clock
        self._worker = runtime.worker
        self._randomness = runtime.randomness
        self._jobs: deque[_Job] = deque()
        self._is_busy = False

    def submit(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        is_wanted: Callable[[], bool] = _always,
    ) -> None:
        """Call `done` with what `work` gave, beside the loop, or with its OSError.

        Refuses, by a RequestError, when too many wait, and what is not wanted when its turn comes:
        work for those who have given up would let those wait who have not.
        """
        if len(self._jobs) >= WAITING_MAX:
            done(RequestError(OVERLOADED, True, "too many logins wait"))
            return
        self._jobs.append(_Job(work, done, is_wanted))
        self._next()

    def salt(self) -> bytes:
        """A fresh one."""
        words = (int(self._randomness.uniform(0, 1 << 32)) for _ in range(SALT_WORDS))
        return b"".join((word & 0xFFFFFFFF).to_bytes(4, "big") for word in words)

    def _next(self) -> None:
        if self._is_busy:
            return
        self._is_busy = True
        while self._jobs:
            job = self._jobs.popleft()
            if job.is_wanted():
                self._begin(job)
                return
            job.done(RequestError(OVERLOADED, True, "its turn came too late"))
        self._is_busy = False

    def _begin(self, job: _Job) -> None:
        outcome: list[Any] = []

        def finished(error: OSError | None) -> None:
            job.done(outcome[0] if error is None else error)
            self._clock.call_later(PAUSE_S, self._rested)

        self._worker.submit(lambda: outcome.append(job.work()), finished)

    def _rested(self) -> None:
        self._is_busy = False
        self._next()


def hashed(password: str, salt: bytes) -> Hash:
    """Slow: not in the loop."""
    return Hash(COST, BLOCK, LANES, salt, _key(password, salt, COST, BLOCK, LANES))


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r * p, dklen=KEY_BYTES
    )
