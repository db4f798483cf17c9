"""The users of a cluster, as any of its nodes asks the controllers for them; a `Book`."""

from collections.abc import Callable
from typing import Any

from ..client.errors import BAD_ANSWER, RequestError
from ..users import Done
from .controllers import Controllers


class ClusterUsers:
    """All answers are the leader's."""

    def __init__(self, controllers: Controllers) -> None:
        self._controllers = controllers

    def check(
        self,
        name: str,
        password: str,
        done: Callable[[bool | RequestError], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        """The leader works for nodes, and knows only how long they wait."""

        def told(answer: Any) -> None:
            if isinstance(answer, bool | RequestError):
                done(answer)
            else:
                done(RequestError(BAD_ANSWER, True, "want true or false"))

        self._controllers.ask("userCheck", (name, password), told)

    def set(
        self, by: str | None, name: str, password: str, done: Done, *, admin: bool | None
    ) -> None:
        self._controllers.ask("userSet", (by, name, password, admin), done)

    def remove(self, by: str | None, name: str, done: Done) -> None:
        self._controllers.ask("userRemove", (by, name), done)

    def names(self, by: str | None, done: Done) -> None:
        self._controllers.ask("userList", (by,), done)
