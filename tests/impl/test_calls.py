"""Functions called by name: arguments of the right types arrive, all others are refused."""

from typing import Any

import pytest
from delphic.impl.client.errors import BAD_REQUEST, RequestError
from delphic.impl.service.call import Call, Functions


class Callee:
    """Keeps what it was called with, and what the caller was told."""

    def __init__(self, signature: Any) -> None:
        self.args: list[tuple[Any, ...]] = []
        self.told: list[Any] = []
        self.functions = Functions({"f": (signature, self._take)})

    def _take(self, call: Call, *args: Any) -> None:
        self.args.append(args)

    def call(self, *args: Any) -> None:
        self.functions.call("f", args, Call(self.told.append))


def test_arguments_arrive_as_their_types_say() -> None:
    callee = Callee(tuple[int, str | None, tuple[tuple[int, ...], ...]])
    callee.call(1, None, [[2, 3], []])
    callee.call(4, "x", [])
    assert callee.args == [(1, None, ((2, 3), ())), (4, "x", ())]
    assert callee.told == []


def test_a_function_may_take_nothing_or_any_number() -> None:
    nothing, any_number = Callee(tuple[()]), Callee(tuple[int, ...])
    nothing.call()
    any_number.call(1, 2, 3)
    assert (nothing.args, any_number.args) == ([()], [(1, 2, 3)])


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ((1,), "f: Expected `array` of length 2, got 1"),
        ((1, "x", 2), "f: Expected `array` of length 2, got 3"),
        (("1", "x"), "f: Expected `int`, got `str` - at `$[0]`"),
        ((1, 2), "f: Expected `str`, got `int` - at `$[1]`"),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_called(
    args: tuple[Any, ...], complaint: str
) -> None:
    callee = Callee(tuple[int, str])
    callee.call(*args)
    assert callee.args == []
    (error,) = callee.told
    assert isinstance(error, RequestError)
    assert (error.name, error.definite, error.message) == (BAD_REQUEST, True, complaint)


def test_functions_with_equal_looking_types_do_not_share_them() -> None:
    flag, number = Callee(tuple[bool]), Callee(tuple[int])
    flag.call(True)
    number.call(True)
    number.call(1)
    assert flag.args == [(True,)]
    assert number.args == [(1,)]
    assert len(number.told) == 1
