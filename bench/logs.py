"""How long the checks of a run's own log take: seeded, valid and violated, times as JSON."""

import argparse
import io
import json
import random
import time
from collections.abc import Iterator
from typing import Any

from delphic.harness import history as histories
from delphic.harness.check import check, overall
from delphic.harness.checkers import LOG_CHECKERS
from delphic.harness.evidence import Evidence
from delphic.harness.history import History, validated
from delphic.harness.op import HARNESS, OBSERVER, Op, OpType

MEMBERS = ("n1", "n2", "n3")
NS_PER_STEP = 100_000


class Client:
    """One client of the simulated run: what it asked for, and what will be answered."""

    def __init__(self, process: int) -> None:
        self.process = process
        self.call: tuple[str, list[Any]] | None = None
        self.answer: Any = None
        self.is_done = False


class Recorder:
    """The single writer: it numbers ops and spaces them evenly in time."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def write(self, process: int | str, kind: OpType, f: str, **fields: Any) -> None:
        index = len(self.ops)
        self.ops.append(Op(index, index * NS_PER_STEP, process, kind, f, **fields))


def generate(
    operations: int,
    *,
    seed: int,
    clients: int = 20,
    indeterminate: float = 0.05,
    batch_max: int = 9,
    page_max: int = 100,
    violate: bool = False,
) -> History:
    """A run of `operations` client operations on a log that answers linearizably.

    Each operation takes effect at a random moment between invocation and answer. An indeterminate
    append may or may not take effect, and if so also long after its client gave up. With
    `violate`, one read near the end misses the last rows that were acknowledged before it began.
    """
    chance = random.Random(seed)
    recorder = Recorder()
    rows: list[int] = []
    late: list[list[int]] = []
    next_row = 0
    pool = [Client(number) for number in range(clients)]
    recorder.write(HARNESS, OpType.INFO, "phase", value="main")
    role = {"role": "leader", "term": 1, "leader": "n1"}
    recorder.write(OBSERVER, OpType.INFO, "role", node="n1", value=role)
    begun = 0
    violation_at = int(operations * 0.95) if violate else operations + 1
    while begun < operations or any(client.call for client in pool):
        client = chance.choice(pool)
        if late and chance.random() < 0.01:
            rows.extend(late.pop(chance.randrange(len(late))))
        if client.call is None:
            if begun == operations:
                continue
            begun += 1
            if chance.random() < 0.5:
                count = chance.randint(1, batch_max)
                client.call = ("append", list(range(next_row, next_row + count)))
                next_row += count
            else:
                start = max(0, len(rows) - chance.choice((20, 100, 100, 400)))
                client.call = ("read", [start, chance.choice((10, page_max))])
            client.is_done = False
            f, value = client.call
            recorder.write(client.process, OpType.INVOKE, f, value=value, node="n1")
            continue
        f, value = client.call
        if f == "append" and not client.is_done and chance.random() < indeterminate:
            fate = chance.random()
            if fate < 0.4:
                rows.extend(value)
            elif fate < 0.6:
                late.append(value)
            recorder.write(client.process, OpType.INFO, f, node="n1", error="Timeout")
            client.call = None
        elif not client.is_done:
            client.is_done = True
            if f == "append":
                client.answer = len(rows)
                rows.extend(value)
            else:
                client.answer = rows[value[0] : value[0] + value[1]]
        else:
            answer = client.answer
            if f == "read" and begun >= violation_at and _is_short_and_long(answer, value):
                answer = answer[: -2 * batch_max * clients]
                violation_at = operations + 1
            recorder.write(client.process, OpType.OK, f, value=answer, node="n1")
            client.call = None
    for name in ("heal", "quiesce", "final"):
        recorder.write(HARNESS, OpType.INFO, "phase", value=name)
        if name != "final":
            recorder.write(0, OpType.INVOKE, "append", value=[next_row])
            recorder.write(0, OpType.OK, "append", value=len(rows), node="n1")
            rows.append(next_row)
            next_row += 1
    recorder.write(0, OpType.INVOKE, "read", value=[0, None])
    recorder.write(0, OpType.OK, "read", value=list(rows), node="n1")
    for member in MEMBERS:
        value = {"rows": len(rows), "digest": "00", "applied": begun}
        recorder.write(HARNESS, OpType.INFO, "replica", node=member, value=value)
    recorder.write(HARNESS, OpType.INFO, "phase", value="end")
    return validated(recorder.ops)


def _is_short_and_long(answer: list[int], asked: list[int]) -> bool:
    """A page that ran into the log's end and holds more rows than can still be in flight."""
    return 300 < len(answer) < asked[1]


def measure(history: History) -> dict[str, Any]:
    """Load and check a history as `delphic check` does; seconds by checker."""
    data = b"".join(histories.encode(op) for op in history.ops)
    began = time.perf_counter()
    loaded = histories.load(io.BytesIO(data))
    load_s = time.perf_counter() - began
    began = time.perf_counter()
    verdicts = check(Evidence(loaded, MEMBERS), LOG_CHECKERS)
    check_s = time.perf_counter() - began
    costs = {verdict.checker: round(verdict.cost_s, 3) for verdict in verdicts}
    opinions = next(v for v in verdicts if v.checker == "linearizable").details["opinions"]
    return {
        "validity": str(overall(verdicts).validity),
        "sentence": overall(verdicts).sentence,
        "bytes": len(data),
        "load_s": round(load_s, 3),
        "check_s": round(check_s, 3),
        "without_search_s": round(check_s - opinions[1]["cost_s"], 3),
        "cost_s": costs,
        "opinions": {
            opinion["checker"]: {
                "validity": opinion["validity"],
                "cost_s": round(opinion["cost_s"], 3),
                "sentence": opinion["sentence"],
            }
            for opinion in opinions
        },
    }


def cases(sizes: list[int], seed: int) -> Iterator[dict[str, Any]]:
    for operations in sizes:
        for violate in (False, True):
            history = generate(
                operations, seed=seed, page_max=1000 if violate else 100, violate=violate
            )
            yield {"operations": operations, "violate": violate, **measure(history)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = list(cases(arguments.operations, arguments.seed))
    print(json.dumps({"seed": arguments.seed, "cases": found}, indent=2))


if __name__ == "__main__":
    main()
