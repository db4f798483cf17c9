"""Who may do what: the users of a cluster and their rights, as its controllers know them."""

from typing import Any

from ..client.errors import BAD_REQUEST, NOT_AUTHORIZED, RequestError
from ..users import NAME
from .catalog_state import User
from .commands import FirstUser, RemoveUser, Right, SetRight, SetUser

EVERYTHING = "*"
"""The object of a right that is about all databases."""


class Rights:
    """A part of the catalog. A caller without a name is one where nobody has to log in."""

    def __init__(self, users: dict[str, User]) -> None:
        self.users = users

    def is_admin(self, name: str | None) -> bool:
        """Whether that user may do everything."""
        return name is None or (name in self.users and self.users[name].admin)

    def may(self, name: str | None, right: Right, database: str) -> bool:
        """Whether that user may do this with that database."""
        if name is None or self.is_admin(name):
            return True
        user = self.users.get(name)
        granted = [] if user is None else user.rights.get(right, [])
        return database in granted or EVERYTHING in granted

    def refusal(self, name: str | None, right: Right, database: str) -> RequestError | None:
        """Why not; None if they may."""
        if self.may(name, right, database):
            return None
        return RequestError(NOT_AUTHORIZED, True, f"{name} has no {right} on {database}")

    def names(self) -> list[dict[str, Any]]:
        """Every user, with rights."""
        return [
            {
                "user": name,
                "admin": user.admin,
                "rights": {str(right): list(user.rights[right]) for right in sorted(user.rights)},
            }
            for name, user in sorted(self.users.items())
        ]

    def begin(self, command: FirstUser) -> None:
        """Make the first administrator, unless there is one who can log in."""
        known = self.users.get(command.name)
        if known is None and not any(user.admin for user in self.users.values()):
            self.users[command.name] = User(command.hash, True, {})
        elif known is not None and not known.hash.key:
            known.hash = command.hash

    def set(self, command: SetUser) -> RequestError | None:
        """Make a user, or change a password."""
        name, known = command.name, self.users.get(command.name)
        if not self.is_admin(command.by) and (command.admin is not None or command.by != name):
            return _refused_other()
        if not NAME.fullmatch(name):
            return _refused("a user's name is a letter or _, then letters, digits, _ . -")
        if (known is None) == (command.admin is None):
            return _refused(f"there is {'no' if known is None else 'already a'} user {name}")
        if known is None:
            self.users[name] = User(command.hash, bool(command.admin), {})
        else:
            known.hash = command.hash
        return None

    def remove(self, command: RemoveUser) -> RequestError | None:
        """Delete a user, but never the last administrator."""
        if not self.is_admin(command.by):
            return _refused_other()
        if command.name not in self.users:
            return _refused(f"there is no user {command.name}")
        if not any(user.admin for name, user in self.users.items() if name != command.name):
            return _refused(f"{command.name} is the last administrator")
        del self.users[command.name]
        return None

    def grant(self, command: SetRight) -> RequestError | None:
        """Give a right, or take it away; what is so already stays so."""
        user = self.users.get(command.name)
        if not self.is_admin(command.by):
            return _refused_other()
        if user is None:
            return _refused(f"there is no user {command.name}")
        if command.object != EVERYTHING and not command.object.startswith("dfs://"):
            return _refused(f"a right is about dfs://… or *, not {command.object}")
        objects = set(user.rights.pop(command.right, []))
        (objects.add if command.on else objects.discard)(command.object)
        if objects:
            user.rights[command.right] = sorted(objects)
        return None


def _refused(message: str) -> RequestError:
    return RequestError(BAD_REQUEST, True, message)


def _refused_other() -> RequestError:
    return RequestError(NOT_AUTHORIZED, True, "only for administrators")
