"""One line of a history."""

import msgspec
import pytest
from delphic.harness.history import encode
from delphic.harness.op import HARNESS, NEMESIS, OBSERVER, Op, OpType


def test_defaults_are_left_out_of_the_line() -> None:
    op = Op(3, 1_000, 0, OpType.INVOKE, "append", value=[1])
    assert (
        encode(op)
        == b'{"index":3,"time_ns":1000,"process":0,"type":"invoke","f":"append","value":[1]}\n'
    )


def test_every_field_survives_a_round_trip() -> None:
    op = Op(1, 2, NEMESIS, OpType.INFO, "kill", "t", {"nodes": ["n1"]}, "n1", "Timeout")
    assert msgspec.json.decode(encode(op), type=Op) == op


@pytest.mark.parametrize("process", [NEMESIS, OBSERVER, HARNESS])
def test_only_numbered_processes_are_clients(process: str) -> None:
    assert not Op(0, 0, process, OpType.INFO, "phase").is_client
    assert Op(0, 0, 0, OpType.INVOKE, "read").is_client


@pytest.mark.parametrize(
    "line",
    [
        b'{"index":0,"time_ns":0,"process":0,"type":"maybe","f":"read"}',
        b'{"index":"0","time_ns":0,"process":0,"type":"ok","f":"read"}',
        b'{"index":0,"time_ns":0,"process":null,"type":"ok","f":"read"}',
        b'{"index":0,"time_ns":0,"type":"ok","f":"read"}',
    ],
)
def test_a_line_of_other_shape_is_no_op(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(line, type=Op)
