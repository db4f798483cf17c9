"""Operations of a history: what is left out, what stays open, what is hashable."""

import pickle
from typing import Any

import pytest
from delphic.harness.checkers import check
from delphic.harness.checkers.monitors.prose import operation_text, value_text
from delphic.harness.checkers.operations import (
    FOREVER,
    UNKNOWN,
    Mapping,
    Operation,
    hashable,
    operations,
    split,
)
from delphic.harness.history import validated
from delphic.harness.op import Op, OpType
from delphic.harness.verdict import Validity

INVOKE, OK, FAIL, INFO = OpType.INVOKE, OpType.OK, OpType.FAIL, OpType.INFO


def history(*lines: tuple[int | str, OpType, str, Any]) -> list[Operation]:
    ops = [
        Op(at, at * 10, process, kind, f, key="x", value=value, node="n1")
        for at, (process, kind, f, value) in enumerate(lines)
    ]
    return operations(validated(ops))


def test_an_answer_is_joined_to_its_invocation() -> None:
    found = history((0, INVOKE, "read", None), (0, OK, "read", 7))
    assert found == [Operation(0, "read", "x", None, 7, 0, 1, 0, 10, "n1")]
    assert not found[0].is_open
    assert found[0].end == 1


def test_a_transaction_that_failed_is_kept_and_said_to_have() -> None:
    asked = [["append", "x", 1]]
    (found,) = history((0, INVOKE, "txn", asked), (0, FAIL, "txn", None))
    assert (found.failed, found.is_open, found.returned, found.result) == (
        True, False, None, UNKNOWN,
    )  # fmt: skip
    assert found.argument == (("append", "x", 1),)


def test_a_definite_failure_is_no_operation() -> None:
    assert history((0, INVOKE, "write", 1), (0, FAIL, "write", 1)) == []


def test_what_was_not_answered_is_open_for_ever() -> None:
    found = history((0, INVOKE, "write", 1), (1, INVOKE, "write", 2), (0, INFO, "write", 1))
    assert [(o.argument, o.result is UNKNOWN, o.returned) for o in found] == [
        (1, True, None),
        (2, True, None),
    ]
    assert {o.end for o in found} == {FOREVER}


def test_only_clients_have_operations() -> None:
    assert history(("nemesis", INVOKE, "kill", None), ("nemesis", INFO, "kill", None)) == []


def test_values_are_made_hashable() -> None:
    assert hashable([1, [2, {"b": [3], "a": None}], {4}]) == (
        1,
        (2, Mapping(frozenset({("a", None), ("b", (3,))}))),
        frozenset({4}),
    )
    assert hash(hashable({"a": [1, {2: 3}]})) == hash(hashable({"a": (1, {2: 3})}))
    found = history((0, INVOKE, "cas", [1, 2]), (0, OK, "cas", [1, 2]))
    assert found[0].argument == found[0].result == (1, 2)


@pytest.mark.parametrize("other", [[["a", 1]], {("a", 1)}, {"a": 2}, {"a": 1, "b": None}])
def test_a_mapping_is_no_list_or_set_of_pairs(other: Any) -> None:
    written = (0, INVOKE, "write", {"a": 1}), (0, OK, "write", None)
    reads = (1, INVOKE, "read", None), (1, OK, "read", other)
    found = history(*written, *reads)
    assert check(found, "register").validity is Validity.FAIL
    assert hashable({"a": 1, "b": 2}) == hashable({"b": 2, "a": 1})
    assert value_text(hashable({"b": [2], "a": 1})) == "{'a': 1, 'b': (2,)}"


def test_unknown_stays_the_same_object_in_another_process() -> None:
    assert pickle.loads(pickle.dumps(UNKNOWN)) is UNKNOWN
    assert repr(UNKNOWN) == "UNKNOWN"


def test_operations_are_split_by_key() -> None:
    def of(key: str, at: int) -> Operation:
        return Operation(0, "read", key, None, UNKNOWN, at, None)

    assert split([of("b", 0), of("a", 1), of("b", 2)]) == {
        "b": [of("b", 0), of("b", 2)],
        "a": [of("a", 1)],
    }


@pytest.mark.parametrize(
    ("begun_ns", "ended_ns", "told"),
    [
        (120_000_000, 130_000_000, "from 0.120 s to 0.130 s"),
        (999, 1_000_000, "from 0.000 s to 0.001 s"),
        (999, 12_345, "from 0.999 µs to 12.345 µs"),
        (7, 12, "from 7 ns to 12 ns"),
        (0, 12, "from 0 ns to 12 ns"),
        (0, 0, "(answered at #4)"),
    ],
)
def test_times_are_told_in_a_unit_that_tells_them_apart(
    begun_ns: int, ended_ns: int, told: str
) -> None:
    operation = Operation(1, "read", None, None, 7, 3, 4, begun_ns, ended_ns)
    assert operation_text(operation) == f"read #3 by process 1 {told}"
