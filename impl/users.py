"""Who may call: users and their salted password hashes, in one file of the node.

Hashing is slow on purpose (scrypt) and so is done beside the loop, one at a time and with pauses:
whoever guesses passwords is slow for everybody, and the syncs of logs that share the worker go on.
"""

import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from .client.errors import BAD_REQUEST, INDETERMINATE, OVERLOADED, RequestError
from .runtime import Runtime

ADMIN = "admin"
COST, BLOCK, LANES = 1 << 14, 8, 1
"""scrypt's n, r and p: 16 MiB and some 50 ms a password."""

KEY_BYTES = 32
SALT_WORDS = 4
PAUSE_S = 0.1
"""Between two passwords."""

WAITING_MAX = 100
PASSWORD_CHARACTERS_MAX = 256
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


class UsersError(Exception):
    """A file of users that makes no sense, or none where one is needed."""


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


class User(msgspec.Struct, frozen=True):
    """One user."""

    hash: Hash
    admin: bool = False


Stored = dict[str, User]


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[], Any]
    done: Callable[[Any], None]


class Users:
    """The users of one node. Answers come later, in the order of asking."""

    def __init__(self, runtime: Runtime, path: str) -> None:
        self._disk = runtime.disk
        self._path = path
        self._clock = runtime.clock
        self._worker = runtime.worker
        self._randomness = runtime.randomness
        self._users: Stored = {}
        self._nobody = Hash(COST, BLOCK, LANES, b"", b"")
        self._jobs: deque[_Job] = deque()
        self._is_busy = False

    def open(self, first_password: str | None) -> None:
        """Read the file, or write the first one with an admin; raises UsersError or OSError."""
        data = self._disk.read(self._path)
        if data is not None:
            try:
                self._users = msgspec.json.decode(data, type=Stored)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UsersError(f"{self._path} is no file of users: {error}") from None
        elif first_password is not None:
            self._save({ADMIN: User(_hashed(first_password, self._salt()), admin=True)})
        if not self._users:
            raise UsersError("authentication is on, and there is no user yet")

    def names(self) -> list[dict[str, Any]]:
        """Every user, and who is an administrator."""
        return [{"user": name, "admin": user.admin} for name, user in sorted(self._users.items())]

    def is_admin(self, name: str | None) -> bool:
        """Whether that user may change others."""
        return name in self._users and self._users[name].admin

    def check(self, name: str, password: str, done: Callable[[bool | RequestError], None]) -> None:
        """Tell whether the password is right; users that there are not take as long."""
        user = self._users.get(name)
        kept = self._nobody if user is None else user.hash

        def checked(matches: Any) -> None:
            known = self._users.get(name)
            is_same = known is not None and known.hash is kept
            done(matches if isinstance(matches, RequestError) else matches and is_same)

        self._submit(_Job(lambda: kept.matches(password), checked))

    def set(
        self, name: str, password: str, done: Callable[[Any], None], *, admin: bool | None
    ) -> None:
        """Make a user, or with `admin` None change the password of one; then it is on disk."""
        if not NAME.fullmatch(name):
            done(_refused("a user's name is a letter or _, then letters, digits, _ . -"))
            return
        if not 0 < len(password) <= PASSWORD_CHARACTERS_MAX:
            done(_refused(f"a password has 1 to {PASSWORD_CHARACTERS_MAX} characters"))
            return
        salt = self._salt()

        def work() -> Any:
            old = self._users.get(name)
            if (old is None) == (admin is None):
                return _refused(f"there is {'no' if old is None else 'already a'} user {name}")
            is_admin = old.admin if old is not None else bool(admin)
            return self._save({**self._users, name: User(_hashed(password, salt), admin=is_admin)})

        self._submit(_Job(work, done))

    def remove(self, name: str, done: Callable[[Any], None]) -> None:
        """Delete a user, but never the last administrator."""

        def work() -> Any:
            if name not in self._users:
                return _refused(f"there is no user {name}")
            left = {other: user for other, user in self._users.items() if other != name}
            if not any(user.admin for user in left.values()):
                return _refused(f"{name} is the last administrator")
            return self._save(left)

        self._submit(_Job(work, done))

    def _submit(self, job: _Job) -> None:
        if len(self._jobs) >= WAITING_MAX:
            job.done(RequestError(OVERLOADED, True, "too many logins wait"))
            return
        self._jobs.append(job)
        self._next()

    def _next(self) -> None:
        if self._is_busy or not self._jobs:
            return
        self._is_busy = True
        job = self._jobs.popleft()
        outcome: list[Any] = []

        def finished(error: OSError | None) -> None:
            unknown = RequestError(INDETERMINATE, False, f"file of users: {error}")
            job.done(unknown if error is not None else outcome[0])
            self._clock.call_later(PAUSE_S, self._rested)

        self._worker.submit(lambda: outcome.append(job.work()), finished)

    def _rested(self) -> None:
        self._is_busy = False
        self._next()

    def _save(self, users: Mapping[str, User]) -> None:
        fresh = self._path + ".new"
        file = self._disk.open(fresh)
        try:
            file.truncate(0)
            file.append(msgspec.json.format(msgspec.json.encode(users)) + b"\n")
            file.sync()
        finally:
            file.close()
        self._disk.rename(fresh, self._path)
        self._disk.sync_folder(self._path.rpartition("/")[0])
        self._users = dict(users)

    def _salt(self) -> bytes:
        words = (int(self._randomness.uniform(0, 1 << 32)) for _ in range(SALT_WORDS))
        return b"".join((word & 0xFFFFFFFF).to_bytes(4, "big") for word in words)


def _hashed(password: str, salt: bytes) -> Hash:
    return Hash(COST, BLOCK, LANES, salt, _key(password, salt, COST, BLOCK, LANES))


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r * p, dklen=KEY_BYTES
    )


def _refused(message: str) -> RequestError:
    return RequestError(BAD_REQUEST, True, message)
