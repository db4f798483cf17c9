"""Run directories to report on: made once, read by many tests."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from delphic.harness.history import encode
from delphic.harness.op import Op, OpType
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Validity
from delphic.reports.page.document import Document, document

sys.path.insert(0, str(Path(__file__).parent))

import synthetic

KINDS: dict[str, dict[str, Any]] = {
    "pass": {"ops": 2_000},
    "small": {"ops": 200},
    "fail": {"ops": 2_000, "validity": Validity.FAIL},
    "expected": {"ops": 600, "validity": Validity.FAIL, "expected": "fail"},
    "inconclusive": {"ops": 200, "validity": Validity.INCONCLUSIVE},
    "slaves": {"ops": 200},
    "hostile": {"ops": 600, "validity": Validity.FAIL, "hostile": True},
}

LOOKS: tuple[tuple[str, str, Any], ...] = (
    ("metrics", "s1", {"status": "ENABLED", "finished": 0, "unfinished": 0}),
    ("append", "dfs://db/t", {"tid": 5, "rows": 1}),
    ("append", "dfs://db/t", {"tid": 6, "rows": 1}),
    ("queue", "m", [[1, 5, 1], [2, 6, 1]]),
    ("stop", "s1", None),
    ("metrics", "s1", {"status": "DISABLED", "finished": 1, "unfinished": 1}),
    ("metrics", "<b>s2", {"status": "<b>STOPPED", "finished": 2, "unfinished": 0}),
)
"""What clients of a run with slaves do, a second apart, and what they are answered."""

Runs = Callable[[str], Any]
Documents = Callable[[str], Document]


@pytest.fixture(scope="session")
def hostile_text() -> str:
    """What a hostile run puts everywhere."""
    return synthetic.HOSTILE


@pytest.fixture(scope="session")
def build() -> Callable[..., Any]:
    """Makes a run directory of one's own."""
    return synthetic.build


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A run directory of a kind, and what was put into it: for reading only."""
    made: dict[str, Any] = {}

    def run(kind: str) -> Any:
        if kind not in made:
            made[kind] = synthetic.build(tmp_path_factory.mktemp(kind) / "run", **KINDS[kind])
            if kind == "slaves":
                _replicate(made[kind].path)
        return made[kind]

    return run


@pytest.fixture(scope="session")
def documents(runs: Runs) -> Documents:
    """The document of a run of a kind."""
    made: dict[str, Document] = {}

    def of(kind: str) -> Document:
        if kind not in made:
            made[kind] = document(runs(kind).path)
        return made[kind]

    return of


@pytest.fixture
def copied(runs: Runs, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a run directory, to be damaged."""

    def copy(kind: str) -> Path:
        return Path(shutil.copytree(runs(kind).path, tmp_path / kind))

    return copy


def _replicate(path: Path) -> None:
    """Let the run go on as one of a master and two slaves, one of which means no good."""
    run = RunDir(path)
    plan = json.loads(run.plan.read_text())
    run.plan.write_text(json.dumps(plan | {"sides": [{"name": n} for n in ("m", "s1", "<b>s2")]}))
    ops = msgspec.json.Decoder(Op).decode_lines(run.history.read_bytes())
    begin = ops[-1].time_ns
    more = []
    for at, (f, key, value) in enumerate(LOOKS, start=1):
        for type_, later, told in ((OpType.INVOKE, 0, None), (OpType.OK, 10**7, value)):
            index = len(ops) + len(more)
            time_ns = begin + at * 10**9 + later
            more.append(Op(index, time_ns, 900, type_, f, key=key, value=told))
    run.history.write_bytes(b"".join(encode(op) for op in (*ops, *more)))
