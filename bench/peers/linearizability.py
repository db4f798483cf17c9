"""Registers judged by our search, our monitor and Porcupine: seconds by cell, as JSON.

python bench/peers/linearizability.py                     every cell, a minute each: hours
python bench/peers/linearizability.py --seconds 10        a shorter while for each
python bench/peers/linearizability.py --only '5 values'   the cells whose names hold that
python bench/peers/linearizability.py --kind ambiguous    the search's; unique: the monitor's
python bench/peers/linearizability.py --ours              without Porcupine, as where Go is missing

Each judge has a process of its own, with bounded memory, and is charged with judging alone: not
with its start, the reading of the history or, ours, the loading of compiled code. A judge that is
out of time or memory has not decided. Exit code 1: two judges contradict each other.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delphic.harness.checkers.operations import UNKNOWN, Judgement, Operation
from delphic.harness.checkers.search.judge import search
from delphic.harness.checkers.specs import SPECS
from delphic.harness.evidence import Budget
from registers import Shape, generate
from tools import Absent, fetch, found

HERE = Path(__file__).resolve().parent
MODULE = "github.com/anishathalye/porcupine"
VERSION = "v1.3.1"
MEMORY_GIB = 6
FUNCTIONS = ("read", "write", "cas")
GRACE_S = 60
"""What reading a history may take beside judging it."""

SLOWEST = 0.001
"""Seconds below which a time says nothing: it counts as this."""

DECIDED = {"Ok": True, "pass": True, "Illegal": False, "fail": False}


def cells() -> Iterator[Shape]:
    """Ambiguous registers for the searches, then those with unique values for the monitor."""
    for values in (5, 0):
        for operations in (1_000, 10_000) if values else (1_000, 3_000):
            for clients in (5, 10, 20, 50):
                for indeterminate in (0.0, 0.1):
                    for violation in (False, True):
                        yield Shape(clients, operations, indeterminate, values, True, violation)
    for operations in (1_000, 10_000, 100_000):
        for clients in (5, 10, 20, 50):
            for indeterminate in (0.0, 0.1):
                for violation in (False, True):
                    yield Shape(clients, operations, indeterminate, 0, False, violation)


def encoded(operations: Iterable[Operation]) -> str:
    """One line an operation: f, two arguments, whether answered, the answer, call and return."""
    lines = []
    for operation in operations:
        first, second = operation.argument if operation.f == "cas" else (operation.argument, 0)
        known = operation.result is not UNKNOWN
        answer = _number(operation.result) if known else 0
        numbers = (FUNCTIONS.index(operation.f), _number(first), _number(second), int(known))
        end = -1 if operation.returned is None else operation.returned
        lines.append(" ".join(map(str, (*numbers, answer, operation.invoked, end))))
    return "\n".join(lines) + "\n"


def decoded(text: str) -> list[Operation]:
    """The operations of such lines."""
    operations = []
    for line in text.splitlines():
        number, first, second, known, answer, invoked, end = map(int, line.split())
        f = FUNCTIONS[number]
        argument = {"read": None, "write": first, "cas": (_value(first), second)}[f]
        results = {"read": _value(answer), "write": None, "cas": bool(answer)}
        result = results[f] if known else UNKNOWN
        returned = None if end < 0 else end
        operations.append(Operation(0, f, None, argument, result, invoked, returned))
    return operations


def _number(value: Any) -> int:
    return -1 if value is None else int(value)


def _value(number: int) -> int | None:
    return None if number < 0 else number


@dataclass(frozen=True)
class Judge:
    """A program that reads a history and prints its verdict and the seconds that it took."""

    name: str
    argv: tuple[str, ...]

    def judge(self, history: bytes, seconds: float) -> dict[str, Any]:
        """What it printed, and its peak of memory; or how it ended."""
        temporary = tempfile.TemporaryFile
        with temporary() as asked, temporary() as answered, temporary() as complained:
            asked.write(history)
            asked.seek(0)
            child = subprocess.Popen(
                [*self.argv, str(seconds)],
                stdin=asked,
                stdout=answered,
                stderr=complained,
                preexec_fn=_bounded,
            )
            deadline = time.monotonic() + seconds + GRACE_S
            while True:
                pid, status, used = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > deadline:
                    child.kill()
                time.sleep(0.01)
            child.returncode = os.waitstatus_to_exitcode(status)
            answered.seek(0)
            said = answered.read()
            complained.seek(0)
            words = complained.read().decode(errors="replace").strip().splitlines()
        told = {"peak_mib": used.ru_maxrss >> 10, "process_s": round(used.ru_utime, 3)}
        if child.returncode:
            # Python tells why at the end, Go at the beginning.
            why = " … ".join(dict.fromkeys((*words[:1], *words[-1:])))
            return {**told, "verdict": f"ended with {child.returncode}: {why or 'without a word'}"}
        return {**told, **json.loads(said)}


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_GIB << 30, MEMORY_GIB << 30))


def porcupine(inside: str) -> Judge:
    """Porcupine, fetched and built in a folder that is gone afterwards."""
    go = found("go")
    source = Path(inside, "main.go")
    source.write_text((HERE / "porcupine" / "main.go").read_text())
    for words in (
        ("mod", "init", "peer"),
        ("get", f"{MODULE}@{VERSION}"),
        ("build", "-o", "peer", "."),
    ):
        fetch([go, "-C", inside, *words], f"Porcupine {VERSION}")
    return Judge("porcupine", (str(Path(inside, "peer")),))


def ours(method: str) -> Judge:
    return Judge(method, (sys.executable, __file__, "--judge", method, "--seconds"))


def judged(method: str, seconds: float) -> None:
    """Be one of our judges: read standard input, print the verdict."""
    spec = SPECS["cas-register"]
    # Compiled code is loaded before the clock starts, as Porcupine's is.
    decide(method, generate(Shape(3, 60, 0.2, 2, True)), 60.0)
    decide(method, generate(Shape(5, 3_000, 0.0, 3, True)), 60.0)
    operations = decoded(sys.stdin.read())
    began, spent = time.perf_counter(), time.process_time()
    judgement = decide(method, operations, seconds)
    took, used = time.perf_counter() - began, time.process_time() - spent
    assert spec.monitor is not None
    verdict = "ambiguous" if judgement is None else str(judgement.validity)
    print(json.dumps({"verdict": verdict, "seconds": round(took, 6), "cpu_s": round(used, 6)}))


def decide(method: str, operations: list[Operation], seconds: float) -> Judgement | None:
    spec = SPECS["cas-register"]
    if method == "search":
        budget = Budget(seconds=seconds, configurations=1 << 40, memory_mib=4096)
        return search(operations, spec, budget, processes=1, explain=False)
    assert spec.monitor is not None
    answer = spec.monitor(operations)
    return answer if isinstance(answer, Judgement) else None


def measured(shape: Shape, judges: list[Judge], seconds: float) -> dict[str, Any]:
    history = encoded(generate(shape)).encode()
    told: dict[str, Any] = {"cell": shape.name, "ambiguous": shape.is_ambiguous}
    for judge in judges:
        # Of unique values the monitor is for; for ambiguous ones, the search.
        if judge.name == ("monitor" if told["ambiguous"] else "search"):
            continue
        print(f"{shape.name}: {judge.name}", file=sys.stderr, flush=True)
        told[judge.name] = judge.judge(history, seconds)
    return told


def contradictions(results: list[dict[str, Any]]) -> list[str]:
    """Cells in which one judge says yes and another no."""
    found_here = []
    for result in results:
        decided = {
            name: DECIDED[told["verdict"]]
            for name, told in result.items()
            if isinstance(told, dict) and told["verdict"] in DECIDED
        }
        if len(set(decided.values())) > 1:
            found_here.append(f"{result['cell']}: {decided}")
    return found_here


def summary(results: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """How many cells each decides, and the mean of ratios where both did or one did not.

    A judge that did not decide is charged with the whole time that it was given: a lower bound.
    """
    told: dict[str, Any] = {}
    for kind, mine in (("ambiguous", "search"), ("unique", "monitor")):
        both = [r for r in results if r["ambiguous"] == (kind == "ambiguous") and mine in r]
        if not both:
            continue
        counts = {
            name: sum(r[name]["verdict"] in DECIDED for r in both)
            for name in (mine, "porcupine")
            if all(name in r for r in both)
        }
        told[kind] = {"cells": len(both), "decided": counts}
        decided = [r[mine] for r in both if r[mine]["verdict"] in DECIDED]
        for name, what in (("slowest_s", "seconds"), ("slowest_cpu_s", "cpu_s")):
            told[kind][name] = max((judged[what] for judged in decided), default=None)
        if "porcupine" in counts:
            common = [r for r in both if r["porcupine"]["verdict"] in DECIDED]
            told[kind]["ours/porcupine"] = _mean(common, mine, seconds)
            told[kind]["ours/porcupine, processor"] = _mean(common, mine, seconds, "cpu_s")
            told[kind]["ours/porcupine, undecided charged"] = _mean(both, mine, seconds)
    return told


def _mean(
    results: list[dict[str, Any]], mine: str, seconds: float, what: str = "seconds"
) -> float | None:
    if not results:
        return None
    logs = [
        math.log(_charged(r[mine], seconds, what) / _charged(r["porcupine"], seconds, what))
        for r in results
    ]
    return round(math.exp(sum(logs) / len(logs)), 4)


def _charged(told: dict[str, Any], seconds: float, what: str) -> float:
    return max(SLOWEST, told[what]) if told["verdict"] in DECIDED else seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", action="append", help="a part of a cell's name")
    parser.add_argument("--kind", choices=("ambiguous", "unique"))
    parser.add_argument("--ours", action="store_true", help="without Porcupine")
    parser.add_argument("--judge", choices=("search", "monitor"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.judge:
        judged(asked.judge, asked.seconds)
        return 0
    chosen = [s for s in cells() if all(part in s.name for part in asked.only or [])]
    if asked.kind:
        chosen = [s for s in chosen if s.is_ambiguous is (asked.kind == "ambiguous")]
    judges = [ours("search"), ours("monitor")]
    told: dict[str, Any] = {"seconds": asked.seconds, "memory_gib": MEMORY_GIB}
    with ExitStack() as stack:
        try:
            if not asked.ours:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                judges.append(porcupine(folder))
                told["porcupine"] = VERSION
        except Absent as absent:
            told["porcupine"] = f"absent: {absent}"
        results = [measured(shape, judges, asked.seconds) for shape in chosen]
    told["summary"] = summary(results, asked.seconds)
    told["contradictions"] = contradictions(results)
    told["cells"] = results
    print(json.dumps(told, indent=2))
    return 1 if told["contradictions"] else 0


if __name__ == "__main__":
    sys.exit(main())
