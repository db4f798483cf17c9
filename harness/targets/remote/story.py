"""What harness and agents did, as lines of a log beside those of members. Pure but for one file."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ...op import HARNESS, NEMESIS, Op, OpType


def told(lines: Iterable[tuple[float, str]], who: str) -> str:
    """Lines as members write theirs, by times of our clock (seconds since 1970)."""
    return "".join(f"{_stamp(at_s)} {who} {line}\n" for at_s, line in lines)


def faults(history: Path, began_s: float) -> str:
    """The phases and faults of a run that began at this time of our clock."""
    return "".join(
        f"{_stamp(began_s + op.time_ns / 1e9)} {op.process} {_sentence(op)}\n"
        for op in _acts(history)
    )


def _acts(history: Path) -> Iterator[Op]:
    """What was not done by clients; a line that was cut short tells nothing."""
    try:
        lines = history.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        if b'"nemesis"' not in line and b'"harness"' not in line:
            continue
        try:
            op = msgspec.json.decode(line, type=Op)
        except msgspec.DecodeError:
            continue
        if op.process in (NEMESIS, HARNESS):
            yield op


def _sentence(op: Op) -> str:
    if op.process == HARNESS:
        whose = "" if op.node is None else f" of {op.node}"
        return f"INFO {op.f}{whose} {op.value}"
    receipt = op.value if isinstance(op.value, dict) else {}
    if op.type is OpType.INVOKE:
        return f"INFO asks for {op.f}: {json.dumps(receipt)}"
    nodes = receipt.get("nodes")
    what = f"{op.f} of {', '.join(map(str, nodes))}" if nodes else op.f
    if not receipt.get("bit"):
        return f"WARNING {what} was not seen to take hold: {json.dumps(receipt)}"
    return f"INFO {what} has taken hold"


def _stamp(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%H:%M:%S.%f")[:-3]
