"""Specifications: which answers are right one after another."""

from typing import Any

import pytest
from delphic.harness.checkers.operations import UNKNOWN, Operation
from delphic.harness.checkers.specs import SPECS

Step = tuple[str, Any, Any]


def legal(name: str, *steps: Step) -> bool:
    """Whether all steps are legal, one after another; if one is not, it must be the last."""
    spec = SPECS[name]
    state: Any = spec.initial()
    for at, (f, argument, result) in enumerate(steps):
        assert hash(state) is not None
        following = spec.step(state, f, argument, result)
        if following is None:
            assert at == len(steps) - 1
            return False
        if f in spec.reads:
            assert following == state
        state = following
    return True


LEGAL: list[tuple[str, list[Step]]] = [
    ("register", [("read", None, None), ("write", 1, None), ("read", None, 1)]),
    ("register", [("write", 1, None), ("write", None, None), ("read", None, None)]),
    ("register", [("write", 1, UNKNOWN), ("read", None, UNKNOWN), ("read", None, 1)]),
    ("cas-register", [("cas", (None, 1), True), ("cas", (1, 2), (1, 2)), ("read", None, 2)]),
    ("cas-register", [("write", 1, None), ("cas", (2, 3), False), ("read", None, 1)]),
    ("cas-register", [("write", 1, None), ("cas", (2, 3), UNKNOWN), ("read", None, 1)]),
    ("cas-register", [("write", 1, None), ("cas", (1, 3), UNKNOWN), ("read", None, 3)]),
    ("log", [("read", None, ()), ("append", 1, None), ("append", 1, 7), ("read", None, (1, 1))]),
    ("log-poll", [("append", 1, 0), ("append", 2, None), ("poll", (1, 5), (2,))]),
    ("log-poll", [("append", 1, 0), ("append", 2, 1), ("read", (0, 1), (1,))]),
    ("set", [("add", 1, None), ("add", 1, None), ("add", 2, True), ("read", None, (2, 1))]),
    ("bitmask-counter", [("read", None, 0), ("add", 4, None), ("add", 1, 9), ("read", None, 5)]),
    ("queue", [("dequeue", None, None), ("enqueue", 1, None), ("dequeue", None, 1)]),
    ("queue", [("enqueue", 1, None), ("enqueue", 2, None), ("dequeue", None, UNKNOWN)]),
    ("queue", [("dequeue", None, UNKNOWN), ("dequeue", None, None)]),
    ("counter", [("add", None, None), ("add", 1, None), ("read", None, 2)]),
    ("keyed-log", [("append", ("a", 1), True), ("append", ("a", 2), False)]),
    ("keyed-log", [("append", ("a", 1), 7), ("append", ("a", 2), 7), ("read", None, (("a", 1),))]),
    ("mutex", [("acquire", None, None), ("release", None, None), ("acquire", None, UNKNOWN)]),
    ("mutex", [("acquire", "p", None), ("release", "p", None), ("acquire", "q", None)]),
    ("element-set", [("add", 1, None), ("contains", 1, True), ("contains", 2, False)]),
    ("element-set", [("add", 1, None), ("remove", 1, None), ("contains", 1, False)]),
    ("session", [("add", 1, None), ("append", 2, None), ("read", None, (2, 1))]),
    ("prefix", [("append", 1, None), ("read", None, (1,))]),
    (
        "list-append",
        [
            ("txn", (("append", "x", 1), ("r", "x", None)), (("append", "x", 1), ("r", "x", (1,)))),
            ("txn", (("append", "x", 2), ("append", "y", 3)), UNKNOWN),
            ("txn", (("r", "x", None), ("r", "z", None)), (("r", "x", (1, 2)), ("r", "z", ()))),
        ],
    ),
    (
        "rw-register",
        [
            ("txn", (("w", "x", 1), ("w", "y", 2)), (("w", "x", 1), ("w", "y", 2))),
            ("txn", (("r", "y", None), ("r", "z", None)), (("r", "y", 2), ("r", "z", None))),
        ],
    ),
    ("log-poll", [("append", 1, UNKNOWN), ("poll", (3, None), ()), ("poll", (0, 0), ())]),
    ("text", [("get", None, None), ("append", "a", UNKNOWN), ("append", "b", 1), ("get", 0, "ab")]),
    ("text", [("append", "a", None), ("put", "c", None), ("get", None, "c")]),
]

WRONG: list[tuple[str, list[Step]]] = [
    ("text", [("append", "a", None), ("append", "b", None), ("get", None, "ba")]),
    ("text", [("put", "a", None), ("get", None, None)]),
    ("register", [("read", None, 1)]),
    ("register", [("write", 1, None), ("write", 2, None), ("read", None, 1)]),
    ("register", [("write", 1, None), ("read", None, None)]),
    ("register", [("increment", 1, None)]),
    ("cas-register", [("write", 1, None), ("cas", (2, 3), True)]),
    ("log", [("append", 1, None), ("read", None, ())]),
    ("log-poll", [("append", 1, 1)]),
    ("set", [("add", 1, None), ("read", None, (1, 1))]),
    ("set", [("add", 1, None), ("add", 2, None), ("read", None, (1, 1))]),
    ("bitmask-counter", [("add", 4, None), ("read", None, 0)]),
    ("queue", [("enqueue", 1, None), ("enqueue", 2, None), ("dequeue", None, 2)]),
    ("queue", [("enqueue", 1, None), ("dequeue", None, None)]),
    ("queue", [("dequeue", None, 1)]),
    ("counter", [("add", None, None), ("read", None, 2)]),
    (
        "list-append",
        [
            ("txn", (("append", "x", 1),), (("append", "x", 1),)),
            ("txn", (("append", "x", 2), ("r", "x", None)), (("append", "x", 2), ("r", "x", (2,)))),
        ],
    ),
    (
        "rw-register",
        [
            ("txn", (("w", "x", 1),), (("w", "x", 1),)),
            ("txn", (("r", "x", None),), (("r", "x", None),)),
        ],
    ),
    ("rw-register", [("txn", (("w", "x", 1), ("w", "y", 1)), (("w", "x", 1),))]),
    ("element-set", [("add", 1, None), ("contains", 1, False)]),
    ("element-set", [("contains", 1, True)]),
    ("session", [("add", 1, None), ("read", None, ())]),
    ("prefix", [("append", 1, None), ("append", 2, None), ("read", None, (2, 1))]),
    ("keyed-log", [("append", ("a", 1), True), ("append", ("a", 2), True)]),
    ("keyed-log", [("append", ("a", 1), False)]),
    ("keyed-log", [("append", ("a", 1), 7), ("append", ("a", 2), 7), ("read", None, (("a", 2),))]),
    ("mutex", [("release", None, None)]),
    ("mutex", [("acquire", None, None), ("acquire", None, None)]),
    ("mutex", [("acquire", "p", None), ("release", "q", None)]),
    ("log-poll", [("append", 1, 0), ("append", 2, 1), ("poll", (0, 1), (1, 2))]),
    ("cas-register", [("write", 1, None), ("cas", (1, 3), False)]),
]


@pytest.mark.parametrize(("name", "steps"), LEGAL)
def test_these_answers_are_right(name: str, steps: list[Step]) -> None:
    assert legal(name, *steps)


@pytest.mark.parametrize(("name", "steps"), WRONG)
def test_the_last_of_these_answers_is_wrong(name: str, steps: list[Step]) -> None:
    assert not legal(name, *steps)


def test_a_spec_tells_which_operations_it_has() -> None:
    for spec in SPECS.values():
        assert spec.about.endswith(".")
        assert spec.reads <= {shape.f for shape in spec.operations}
        for shape in spec.operations:
            asked = next(value for value in (None, 1, (0, 1), (), "x") if shape.asks(value))
            known = Operation(0, shape.f, None, asked, UNKNOWN, 0, None)
            assert spec.misfit(known) is None
        other = Operation(0, "dance", None, None, UNKNOWN, 0, None)
        assert "'dance' is no operation" in (spec.misfit(other) or "")


X_AND_Y = (("r", "x", None), ("r", "y", None))


@pytest.mark.parametrize(
    ("name", "f", "argument", "result", "why"),
    [
        ("register", "write", 1, None, None),
        ("cas-register", "cas", (1, 2), UNKNOWN, None),
        ("cas-register", "cas", 7, UNKNOWN, "argument of cas must be [expected, new]"),
        ("log", "read", None, 7, "result of read must be all elements"),
        ("log", "read", None, frozenset({1}), "result of read must be all elements"),
        ("prefix", "read", None, frozenset({1}), "result of read must be all elements"),
        ("log-poll", "poll", (0, None), (1,), None),
        ("log-poll", "poll", (0, None), frozenset({1}), "result of poll must be the elements"),
        ("prefix-poll", "read", (0, 1), frozenset({1}), "result of read must be the elements"),
        ("log-poll", "poll", (0, -1), (1,), "argument of poll must be [from, max]"),
        ("log-poll", "read", (0,), (1,), "argument of read must be [from, max]"),
        ("log-poll", "read", (True, 1), (1,), "argument of read must be [from, max]"),
        ("set", "read", None, None, "result of read must be all elements"),
        ("element-set", "contains", 1, 1, "result of contains must be true or false"),
        ("session", "read", None, 1, "result of read must be the elements"),
        ("list-append", "txn", (("append", "x", 1),), UNKNOWN, None),
        ("list-append", "txn", (("r", "x"),), UNKNOWN, "argument of txn must be a list of"),
        ("rw-register", "txn", (("w", "x", 1),), ("w",), "result of txn must be the same"),
        ("rw-register", "txn", (("append", "x", 1),), UNKNOWN, "kinds: w, r"),
        ("list-append", "txn", (("w", "x", 1),), UNKNOWN, "kinds: append, r"),
        ("list-append", "txn", frozenset({("r", "x", None)}), UNKNOWN, "argument of txn must be"),
        ("rw-register", "txn", X_AND_Y, (("r", "x", 5), ("r", "y", 6)), None),
        ("rw-register", "txn", X_AND_Y, (("r", "y", 6), ("r", "x", 5)), "result of txn must be"),
        ("rw-register", "txn", X_AND_Y, (("r", "x", 5),), "result of txn must be the same"),
        ("rw-register", "txn", X_AND_Y, (("w", "x", 5), ("r", "y", 6)), "result of txn must be"),
        ("list-append", "txn", X_AND_Y, (("r", "x", ()),), "result of txn must be the same"),
        ("counter", "add", "1", None, "argument of add must be 1, or nothing"),
        ("bitmask-counter", "add", 1.5, None, "argument of add must be the amount"),
        ("keyed-log", "append", ("a", 1, 2), None, "argument of append must be [key, value]"),
        ("keyed-log", "read", None, ("a",), "result of read must be all [key, value]"),
        ("keyed-log", "read", None, frozenset({("a", 1)}), "result of read must be all [key, val"),
        ("set", "read", None, frozenset({1}), None),
        ("queue", "enqueue", None, None, "the argument of enqueue must be the value, not null"),
        ("queue", "enqueue", 0, None, None),
        ("queue", "enqueue", (), UNKNOWN, None),
        ("queue", "dequeue", None, None, None),
    ],
)
def test_a_spec_says_what_does_not_fit(
    name: str, f: str, argument: Any, result: Any, why: str | None
) -> None:
    returned = None if result is UNKNOWN else 1
    found = SPECS[name].misfit(Operation(0, f, None, argument, result, 0, returned))
    assert (found is None) if why is None else (why in (found or ""))
