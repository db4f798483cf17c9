"""How long monitors take: a million operations each, valid and with one late violation, as JSON.

Every case is a file, read and judged by a process of its own, whose highest memory is told. Exit
code 1: one was judged wrongly.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from delphic.harness import history as histories
from delphic.harness.checkers.judging import check
from delphic.harness.formats.read import read
from delphic.harness.op import Op, OpType
from kernel import status

NS_PER_STEP = 100_000
LATE = 0.7


class Thing(Protocol):
    """A correct object: what clients ask of it, and what it answers."""

    def ask(self, chance: random.Random) -> tuple[str, Any]: ...

    def answer(self, f: str, argument: Any, chance: random.Random) -> Any: ...

    def lie(self, f: str, answer: Any) -> Any:
        """A wrong answer, or the same where this operation has none."""
        ...


class Register:
    def __init__(self, count: int) -> None:
        self.value: Any = None
        self.next = 0
        self.old: deque[Any] = deque([None], 1000)

    def ask(self, chance: random.Random) -> tuple[str, Any]:
        if chance.random() < 0.5:
            return "read", None
        self.next += 1
        return ("write", self.next) if chance.random() < 0.8 else ("cas", [self.value, self.next])

    def answer(self, f: str, argument: Any, chance: random.Random) -> Any:
        if f == "read":
            return self.value
        if f == "cas":
            if argument[0] != self.value:
                return OpType.FAIL
            argument = argument[1]
        self.old.append(self.value)
        self.value = argument
        return True

    def lie(self, f: str, answer: Any) -> Any:
        return self.old[0] if f == "read" else answer


class Log:
    def __init__(self, count: int) -> None:
        self.rows: list[int] = []
        self.next = 0

    def ask(self, chance: random.Random) -> tuple[str, Any]:
        if chance.random() < 0.5:
            start = max(0, len(self.rows) - chance.choice((0, 3, 10, 400)))
            return "poll", [start, chance.choice((5, 10, 100))]
        self.next += 1
        return "append", self.next

    def answer(self, f: str, argument: Any, chance: random.Random) -> Any:
        if f == "append":
            self.rows.append(argument)
            # Of some appends the offset is not told.
            return None if chance.random() < 0.05 else len(self.rows) - 1
        start, most = argument
        return self.rows[start : start + most]

    def lie(self, f: str, answer: Any) -> Any:
        # Far from the end, an empty page is an old one.
        return [] if f == "poll" and answer and answer[0] < self.next - 250 else answer


class Set:
    """Nearly all adds: every read carries the whole set, so that there are five of them."""

    def __init__(self, count: int) -> None:
        self.every = count // 5
        self.elements: list[int] = []
        self.next = 0
        self.size = 0

    def ask(self, chance: random.Random) -> tuple[str, Any]:
        if self.next >= self.size + self.every - 1:
            self.size = self.next
            return "read", None
        self.next += 1
        return "add", self.next

    def answer(self, f: str, argument: Any, chance: random.Random) -> Any:
        if f == "read":
            return list(self.elements)
        self.elements.append(argument)
        return None

    def lie(self, f: str, answer: Any) -> Any:
        return [*answer[:1000], *answer[1001:]] if f == "read" else answer


class Queue:
    def __init__(self, count: int) -> None:
        self.values: deque[int] = deque()
        self.next = 0

    def ask(self, chance: random.Random) -> tuple[str, Any]:
        if chance.random() < 0.49:
            return "dequeue", None
        self.next += 1
        return "enqueue", self.next

    def answer(self, f: str, argument: Any, chance: random.Random) -> Any:
        if f == "enqueue":
            self.values.append(argument)
            return None
        return self.values.popleft() if self.values else None

    def lie(self, f: str, answer: Any) -> Any:
        if f == "dequeue" and len(self.values) > 60:
            taken = self.values[60]
            del self.values[60]
            return taken
        return answer


THINGS: dict[str, Callable[[int], Thing]] = {
    "cas-register": Register,
    "log-poll": Log,
    "set": Set,
    "queue": Queue,
}


def ops(thing: Thing, count: int, *, seed: int, clients: int, violate: bool) -> Iterator[Op]:
    """A run in which each operation takes effect at a random moment, or never, or late."""
    chance = random.Random(seed)
    indeterminate = 0.02
    calls: dict[int, tuple[str, Any, Any, bool]] = {}
    idle = list(range(clients))
    late: list[tuple[str, Any]] = []
    index = begun = 0
    lies = 1 if violate else 0

    def op(process: int, kind: OpType, f: str, value: Any) -> Op:
        nonlocal index
        index += 1
        return Op(index, index * NS_PER_STEP, process, kind, f, value=value, node="n1")

    while begun < count or calls:
        if late and chance.random() < 0.01:
            thing.answer(*late.pop(), chance)
        if begun < count and idle and chance.random() < 0.5:
            process = idle.pop(chance.randrange(len(idle)))
            f, argument = thing.ask(chance)
            calls[process] = (f, argument, None, False)
            begun += 1
            yield op(process, OpType.INVOKE, f, argument)
            continue
        if not calls:
            continue
        process = chance.choice(tuple(calls))
        f, argument, answer, is_done = calls[process]
        if is_done:
            del calls[process]
            idle.append(process)
            if answer is OpType.FAIL:
                yield op(process, OpType.FAIL, f, argument)
                continue
            if lies and begun > LATE * count and thing.lie(f, answer) != answer:
                answer, lies = thing.lie(f, answer), 0
            yield op(process, OpType.OK, f, answer)
        elif f != "read" and f != "poll" and chance.random() < indeterminate:
            late += [(f, argument)] if chance.random() < 0.5 else []
            del calls[process]
            idle.append(process + clients)
            yield op(process, OpType.INFO, f, argument)
        else:
            calls[process] = (f, argument, thing.answer(f, argument, chance), True)


def measured(path: Path, name: str) -> dict[str, Any]:
    """Read and judge a file, as `delphic check FILE` does, and tell the highest memory of both.

    Seconds are of the clock, and of the processor where others use it, too.
    """
    began = time.perf_counter()
    found = read(path).operations
    read_s = time.perf_counter() - began
    began, spent = time.perf_counter(), time.process_time()
    answer = check(found, name)
    check_s, check_cpu_s = time.perf_counter() - began, time.process_time() - spent
    assert answer.method == "monitor", answer.sentence
    return {
        "spec": name,
        "validity": str(answer.validity),
        "sentence": answer.sentence,
        "operations": len(found),
        "bytes": path.stat().st_size,
        "read_s": round(read_s, 3),
        "check_s": round(check_s, 3),
        "check_cpu_s": round(check_cpu_s, 3),
        "memory_mib": status("VmHWM") >> 20,
    }


def cases(count: int, seed: int, names: list[str]) -> Iterator[dict[str, Any]]:
    """Each object, valid and violated, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "history.jsonl")
        for name in names:
            for violate in (False, True):
                run = ops(THINGS[name](count), count, seed=seed, clients=20, violate=violate)
                with path.open("wb") as stream:
                    stream.writelines(histories.encode(op) for op in run)
                command = [sys.executable, __file__, "--judge", str(path), "--specs", name]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                yield {"violate": violate, "asked": count, **json.loads(done.stdout)}


def is_right(case: dict[str, Any]) -> bool:
    return bool(case["validity"] == ("fail" if case["violate"] else "pass"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--specs", nargs="+", default=list(THINGS))
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.judge is not None:
        print(json.dumps(measured(arguments.judge, arguments.specs[0])))
        return 0
    found = list(cases(arguments.operations, arguments.seed, arguments.specs))
    print(json.dumps({"seed": arguments.seed, "monitors": found}, indent=2))
    return 0 if all(is_right(case) for case in found) else 1


if __name__ == "__main__":
    sys.exit(main())
