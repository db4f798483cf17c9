"""Who may call: users and their salted password hashes, in one file of the node."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .client.errors import BAD_REQUEST, INDETERMINATE, NOT_AUTHORIZED, RequestError
from .hashing import NOBODY, Hash, Hashing, hashed
from .runtime import Runtime

ADMIN = "admin"

PASSWORD_CHARACTERS_MAX = 256
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")

Done = Callable[[Any], None]
"""Called once, with the result or a RequestError."""


class UsersError(Exception):
    """A file of users that makes no sense, or none where one is needed."""


class User(msgspec.Struct, frozen=True):
    """One user."""

    hash: Hash
    admin: bool = False


Stored = dict[str, User]


class Users:
    """The users of one node. Answers come later, in the order of asking."""

    def __init__(self, runtime: Runtime, path: str) -> None:
        self._disk = runtime.disk
        self._path = path
        self._hashing = Hashing(runtime)
        self._users: Stored = {}

    def open(self, first_password: str | None) -> None:
        """Read the file, or write the first one with an admin; raises UsersError or OSError."""
        data = self._disk.read(self._path)
        if data is not None:
            try:
                self._users = msgspec.json.decode(data, type=Stored)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UsersError(f"{self._path} is no file of users: {error}") from None
        elif first_password is not None:
            self._save({ADMIN: User(hashed(first_password, self._hashing.salt()), admin=True)})
        if not self._users:
            raise UsersError("authentication is on, and there is no user yet")

    def names(self, by: str | None, done: Done) -> None:
        """Every user, and who is an administrator."""
        if not self.is_admin(by):
            done(only_admins())
            return
        users = [{"user": name, "admin": user.admin} for name, user in sorted(self._users.items())]
        done(users)

    def is_admin(self, name: str | None) -> bool:
        """Whether that user may change others."""
        return name in self._users and self._users[name].admin

    def check(
        self,
        name: str,
        password: str,
        done: Callable[[bool | RequestError], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        """Tell whether the password is right; users that there are not take as long."""
        user = self._users.get(name)
        kept = NOBODY if user is None else user.hash

        def checked(matches: Any) -> None:
            known = self._users.get(name)
            is_same = known is not None and known.hash is kept
            done(matches if isinstance(matches, RequestError) else matches and is_same)

        self._hashing.submit(lambda: kept.matches(password), checked, is_wanted)

    def set(
        self, by: str | None, name: str, password: str, done: Done, *, admin: bool | None
    ) -> None:
        """Make a user, or with `admin` None change the own password; then it is on disk."""
        if not self.is_admin(by) and (admin is not None or by != name):
            done(only_admins())
            return
        if not NAME.fullmatch(name):
            done(_refused("a user's name is a letter or _, then letters, digits, _ . -"))
            return
        if not 0 < len(password) <= PASSWORD_CHARACTERS_MAX:
            done(_refused(f"a password has 1 to {PASSWORD_CHARACTERS_MAX} characters"))
            return
        salt = self._hashing.salt()

        def work() -> Any:
            old = self._users.get(name)
            if (old is None) == (admin is None):
                return _refused(f"there is {'no' if old is None else 'already a'} user {name}")
            is_admin = old.admin if old is not None else bool(admin)
            return self._save({**self._users, name: User(hashed(password, salt), admin=is_admin)})

        self._hashing.submit(work, self._told(done))

    def remove(self, by: str | None, name: str, done: Done) -> None:
        """Delete a user, but never the last administrator."""
        if not self.is_admin(by):
            done(only_admins())
            return

        def work() -> Any:
            if name not in self._users:
                return _refused(f"there is no user {name}")
            left = {other: user for other, user in self._users.items() if other != name}
            if not any(user.admin for user in left.values()):
                return _refused(f"{name} is the last administrator")
            return self._save(left)

        self._hashing.submit(work, self._told(done))

    @staticmethod
    def _told(done: Done) -> Done:
        """If the disk fails in the middle, nobody knows what it holds."""

        def told(outcome: Any) -> None:
            if isinstance(outcome, OSError):
                outcome = RequestError(INDETERMINATE, False, f"file of users: {outcome}")
            done(outcome)

        return told

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


def only_admins() -> RequestError:
    """The answer to everybody else."""
    return RequestError(NOT_AUTHORIZED, True, "only for administrators")


def _refused(message: str) -> RequestError:
    return RequestError(BAD_REQUEST, True, message)
