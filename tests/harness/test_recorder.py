"""The one writer of a history."""

import errno
import io
from pathlib import Path

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.history import encode, load
from delphic.harness.op import NEMESIS, OBSERVER, Op, OpType
from delphic.harness.running.recorder import Recorder


def clock() -> int:
    return 7


def test_indices_are_dense_and_lines_are_those_of_the_history() -> None:
    stream = io.BytesIO()
    recorder = Recorder(stream, clock)
    recorder.add(0, OpType.INVOKE, "append", key="t", value=[1, 2], node="n1")
    recorder.add(NEMESIS, OpType.INVOKE, "kill", value={"kind": "kill", "target": "one"})
    recorder.add(0, OpType.OK, "append", key="t", value=0, node="n1")
    recorder.flush()
    assert stream.getvalue().splitlines(keepends=True)[0] == encode(
        Op(0, 7, 0, OpType.INVOKE, "append", "t", [1, 2], "n1")
    )
    assert [op.index for op in load(io.BytesIO(stream.getvalue())).ops] == [0, 1, 2]


@pytest.mark.parametrize(
    ("value", "error"), [([1, 2, object()], TypeError), ("\ud800", UnicodeEncodeError)]
)
def test_what_no_history_can_hold_leaves_no_trace(value: object, error: type[Exception]) -> None:
    stream = io.BytesIO()
    recorder = Recorder(stream, clock)
    recorder.add(1, OpType.INVOKE, "read")
    with pytest.raises(error):
        recorder.add(1, OpType.OK, "read", value=value)
    recorder.add(1, OpType.FAIL, "read")
    recorder.flush()
    assert [op.index for op in load(io.BytesIO(stream.getvalue())).ops] == [0, 1]
    assert recorder.counts == {OpType.INVOKE: 1, OpType.FAIL: 1}


def test_nothing_reaches_the_file_before_a_flush_and_nothing_twice() -> None:
    stream = io.BytesIO()
    recorder = Recorder(stream, clock)
    recorder.add(OBSERVER, OpType.INFO, "role")
    assert stream.getvalue() == b""
    recorder.flush()
    once = stream.getvalue()
    recorder.flush()
    assert stream.getvalue() == once != b""


def test_a_stream_that_takes_only_a_part_gets_the_rest() -> None:
    class Sip(io.BytesIO):
        def write(self, data: object) -> int:
            return super().write(bytes(data)[:10])  # type: ignore[call-overload]

    stream = Sip()
    recorder = Recorder(stream, clock)
    recorder.add(0, OpType.INVOKE, "read", value=[0, None])
    recorder.flush()
    assert len(load(io.BytesIO(stream.getvalue())).ops) == 1


def test_only_clients_are_counted() -> None:
    recorder = Recorder(io.BytesIO(), clock)
    recorder.add(0, OpType.INVOKE, "read")
    recorder.add(0, OpType.OK, "read", value=[])
    recorder.add(NEMESIS, OpType.INFO, "heal")
    assert (recorder.counts[OpType.OK], recorder.counts[OpType.INFO]) == (1, 0)
    assert recorder.next_index == 3


@pytest.mark.parametrize("path", ["/dev/full"])
def test_a_full_disk_is_the_worlds_fault_and_says_so(path: str) -> None:
    with Path(path).open("wb", buffering=0) as stream:
        recorder = Recorder(stream, clock)
        recorder.add(0, OpType.INVOKE, "read")
        with pytest.raises(WorldError) as caught:
            recorder.flush()
    assert str(caught.value) == "cannot write the history: No space left on device"
    assert caught.value.exit_code == 4


def test_a_disk_that_fails_later_loses_nothing_that_was_written_before() -> None:
    class Full(io.BytesIO):
        full = False

        def write(self, data: object) -> int:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)  # type: ignore[arg-type]

    stream = Full()
    recorder = Recorder(stream, clock)
    recorder.add(0, OpType.INVOKE, "read")
    recorder.flush()
    stream.full = True
    recorder.add(0, OpType.OK, "read", value=[])
    with pytest.raises(WorldError):
        recorder.flush()
    assert len(load(io.BytesIO(stream.getvalue())).ops) == 1
