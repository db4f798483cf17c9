"""Histories that others recorded, by our judge and by what their owners expect of them, as JSON.

python bench/peers/recorded.py                  Porcupine's: etcd under Jepsen, key-value stores

They come with Porcupine's Go module, of whose tests the expected verdicts are read; both are gone
afterwards. Exit code 1: one was judged otherwise, or not at all.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from delphic.harness.evidence import Budget
from delphic.harness.judging.judge import Question, judge
from delphic.harness.verdict import Validity
from linearizability import MODULE, VERSION
from tools import Absent, fetch, found

BUDGET = Budget(seconds=60.0, configurations=200_000_000, memory_mib=2048)
_ETCD = re.compile(r"checkJepsen\(t, (\d+), (true|false)\)")
_TEXTS = re.compile(r'checkKv\(t, "([\w-]+)", (true|false), true\)')


def expected(module: Path) -> Iterator[tuple[Path, str, bool]]:
    """Each history with its specification, and whether it is right, as the module's tests say."""
    tests = (module / "porcupine_test.go").read_text()
    for number, right in _ETCD.findall(tests):
        file = module / "test_data" / "jepsen" / f"etcd_{int(number):03d}.log"
        yield file, "cas-register", right == "true"
    for name, right in _TEXTS.findall(tests):
        yield module / "test_data" / "kv" / f"{name}.txt", "text", right == "true"


def compared(histories: Iterator[tuple[Path, str, bool]]) -> list[dict[str, Any]]:
    rows = []
    for file, spec, is_right in histories:
        began = time.perf_counter()
        told = judge(Question(file, spec, budget=BUDGET))
        wanted = Validity.PASS if is_right else Validity.FAIL
        rows.append(
            {
                "history": file.stem,
                "format": told.format,
                "operations": told.operations,
                "expected": str(wanted),
                "verdict": str(told.validity),
                "method": told.method,
                "agree": told.validity is wanted,
                "judged_s": told.judged_s,
                "seconds": round(time.perf_counter() - began, 3),
            }
        )
    return rows


def module(inside: str) -> Path:
    """Porcupine's source, fetched below this folder. Raises Absent."""
    # What Go caches is read-only, and could not be removed again.
    fetch(
        [found("go"), "mod", "download", f"{MODULE}@{VERSION}"],
        f"Porcupine {VERSION}",
        GOPATH=inside,
        GOFLAGS="-modcacherw",
    )
    return Path(inside, "pkg", "mod", *MODULE.split("/")[:-1], f"porcupine@{VERSION}")


def main() -> int:
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    with tempfile.TemporaryDirectory() as inside:
        try:
            rows = compared(expected(module(inside)))
        except Absent as error:
            print(json.dumps({"absent": str(error)}))
            return 0
    agreed = sum(row["agree"] for row in rows)
    print(json.dumps({"porcupine": VERSION, "agreed": agreed, "histories": rows}, indent=1))
    return 0 if rows and agreed == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
