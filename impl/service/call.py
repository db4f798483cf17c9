"""One call of a function: who calls, and what is told the result; and functions by their names."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_args

import msgspec

from ..client.errors import BAD_REQUEST, RequestError
from ..visitor import Visitor

Answer = Callable[[Any], None]
"""Called once with the result, or with the RequestError that it ended in."""

Function = tuple[Any, Callable[..., None]]
"""The types of the arguments, as one tuple type, and who takes the Call and them."""


class Call(msgspec.Struct, frozen=True):
    """`visitor` is the client that calls; None where a node of this cluster does, `peer`.

    `login`: for whom the peer calls, if for anybody.
    """

    answer: Answer
    visitor: Visitor | None = None
    peer: str = ""
    login: str | None = None

    @property
    def user(self) -> str | None:
        """Who has logged in; None where nobody need."""
        return self.login if self.visitor is None else self.visitor.user

    def when_room(self, go: Callable[[], None]) -> None:
        """Let `go` make a long answer; a client that does not read has to wait for it."""
        if self.visitor is None:
            go()
        else:
            self.visitor.when_room(go)


class Functions:
    """Finds a function by name and checks its arguments' types."""

    def __init__(self, *parts: Mapping[str, Function]) -> None:
        self._known: dict[str, Function] = {}
        self._shapes: dict[str, type[msgspec.Struct] | None] = {}
        """Of the arguments of functions that were called."""
        for part in parts:
            self.add(part)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def add(self, part: Mapping[str, Function]) -> None:
        """Know these, too."""
        assert not self._known.keys() & part.keys(), "a name for two functions"
        self._known.update(part)

    def call(self, name: str, args: tuple[Any, ...], call: Call) -> None:
        """Let the function answer; unknown names and wrong types are refused as BadRequest."""
        known = self._known.get(name)
        if known is None:
            message = f"no function {name}; there are {', '.join(sorted(self._known))}"
            call.answer(RequestError(BAD_REQUEST, True, message))
            return
        signature, handler = known
        try:
            shape = self._shapes[name]
        except KeyError:
            shape = self._shapes[name] = _shape(signature)
        try:
            if shape is None:
                converted = msgspec.convert(args, signature)
            else:
                converted = msgspec.structs.astuple(msgspec.convert(args, shape))
        except msgspec.ValidationError as error:
            complaint = _complaint(args, signature, error)
            call.answer(RequestError(BAD_REQUEST, True, f"{name}: {complaint}"))
            return
        handler(call, *converted)


@cache
def _shape(signature: Any) -> type[msgspec.Struct] | None:
    """A tuple type's twin, which msgspec keeps prepared: a tuple type it reads anew at each call.

    None where the length is free.
    """
    items = get_args(signature)
    if Ellipsis in items:
        return None
    fields = [(f"item{at}", item) for at, item in enumerate(items)]
    return msgspec.defstruct("Arguments", fields, array_like=True, forbid_unknown_fields=True)


def _complaint(
    args: tuple[Any, ...], signature: Any, error: msgspec.ValidationError
) -> msgspec.ValidationError:
    """What is wrong, in the words for tuples."""
    try:
        msgspec.convert(args, signature)
    except msgspec.ValidationError as told:
        return told
    return error
