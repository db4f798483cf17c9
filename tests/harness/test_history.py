"""The ordered ops of one run: order, pairs, files."""

import io

import pytest
from delphic.harness.errors import HistoryError
from delphic.harness.history import Call, History, encode, load, validated
from delphic.harness.op import Op, OpType

INVOKE, OK, FAIL, INFO = OpType.INVOKE, OpType.OK, OpType.FAIL, OpType.INFO


def op(index: int, process: int | str, kind: OpType, f: str = "append") -> Op:
    return Op(index, index, process, kind, f)


def test_calls_join_invocations_to_completions_in_order_of_invocation() -> None:
    ops = [op(0, 1, INVOKE), op(1, 2, INVOKE), op(2, "nemesis", INFO), op(4, 2, OK), op(5, 1, FAIL)]
    history = validated(ops)
    assert history.calls() == [Call(ops[0], ops[4]), Call(ops[1], ops[3])]
    assert [call.outcome for call in history.calls()] == [FAIL, OK]


def test_an_invocation_that_never_returned_is_info() -> None:
    history = validated([op(0, 1, INVOKE)])
    assert [(call.completion, call.outcome) for call in history.calls()] == [(None, INFO)]


def test_a_process_may_go_on_after_an_open_outcome() -> None:
    history = validated([op(0, 1, INVOKE), op(1, 1, INFO), op(2, 1, INVOKE), op(3, 1, OK)])
    assert [call.outcome for call in history.calls()] == [INFO, OK]


def test_ops_are_found_by_process() -> None:
    ops = [op(0, 1, INVOKE), op(1, "observer", INFO, "role"), op(2, 1, OK)]
    history = validated(ops)
    assert list(history.of("observer")) == [ops[1]]
    assert list(history.clients()) == [ops[0], ops[2]]


def test_what_is_derived_from_a_history_is_computed_once() -> None:
    asked: list[History] = []

    def count(history: History) -> int:
        asked.append(history)
        return len(history.ops)

    history = validated([op(0, 1, INVOKE)])
    assert [history.derived(count), history.derived(count)] == [1, 1]
    assert asked == [history]
    assert validated([op(0, 1, INVOKE)]).derived(count) == 1
    assert len(asked) == 2


def test_what_was_derived_does_not_make_histories_differ() -> None:
    one, other = validated([op(0, 1, INVOKE)]), validated([op(0, 1, INVOKE)])
    one.calls()
    assert one == other


@pytest.mark.parametrize(
    ("ops", "complaint"),
    [
        ([op(1, 1, INVOKE), op(1, 2, INVOKE)], "op 1 follows op 1: indices must increase"),
        ([op(0, 1, OK)], "op 0: completion without an invocation"),
        ([op(0, 1, INVOKE), op(1, 1, OK, "read")], "op 1 completes read, but append was invoked"),
        (
            [op(0, 1, INVOKE), op(1, 1, INVOKE)],
            "op 1: process 1 invokes while its op 0 is still open",
        ),
    ],
)
def test_what_is_no_history_is_refused_by_op(ops: list[Op], complaint: str) -> None:
    with pytest.raises(HistoryError, match=complaint):
        validated(ops)


def test_a_file_is_read_back_as_it_was_written() -> None:
    history = validated([op(0, 1, INVOKE), op(1, "harness", INFO, "phase"), op(2, 1, OK)])
    data = b"".join(encode(each) for each in history.ops)
    assert load(io.BytesIO(data)) == history


def test_a_bad_line_is_named_by_its_number() -> None:
    data = encode(op(0, 1, INVOKE)) + b"{}\n"
    with pytest.raises(HistoryError, match="line 2: "):
        load(io.BytesIO(data))


def test_the_torn_last_line_of_a_killed_writer_is_left_out_on_request_only() -> None:
    data = encode(op(0, 1, INVOKE)) + encode(op(1, 1, OK))[:-7]
    assert [each.index for each in load(io.BytesIO(data), torn_tail=True).ops] == [0]
    with pytest.raises(HistoryError, match="line 2: "):
        load(io.BytesIO(data))
