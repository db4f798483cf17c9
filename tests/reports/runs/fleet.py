"""A directory of many runs made from thin air: verdicts and plans, but no histories."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from delphic.harness.rundir import RunDir
from delphic.harness.verdict import Provenance, RunVerdict, Validity, Verdict

BEGAN = datetime(2026, 3, 1, 8, 0, 0, tzinfo=UTC)
KINDS = [["timeout", "becomes candidate"], ["receive vote", "grants"], ["append", "grows the log"]]


@dataclass(frozen=True)
class Run:
    """One run, as it is to be found again."""

    scenario: str
    seed: int
    target: str = "sim"
    validity: Validity = Validity.PASS
    expected: str = "pass"
    git: str | None = "a" * 40
    is_dirty: bool = False
    started: datetime = BEGAN
    ok_per_s: float = 400.0
    title: str = "A leader is cut off"
    sentence: str = "No acknowledged row is lost."
    bugs: dict[str, list[str]] = field(default_factory=dict)
    never: list[list[str]] = field(default_factory=lambda: KINDS[:1])
    planned: dict[str, Any] = field(default_factory=dict)
    """What else stands in the plan."""

    @property
    def name(self) -> str:
        return f"{self.started:%Y%m%dT%H%M%SZ}-{self.scenario}-{self.seed}"


def write(root: Path, run: Run) -> Path:
    """The run's directory, without history, logs or report."""
    path = RunDir(root / run.name)
    path.path.mkdir(parents=True)
    path.plan.write_text(json.dumps(_plan(run)))
    path.scenario.write_text(f"name: {run.scenario}\n")
    path.environment.write_text(json.dumps({"host": "elsewhere", "pid": 7, "version": "0.1.0"}))
    lines = [{"unix_s": run.started.timestamp(), "phase": p} for p in ("planned", "up", "checked")]
    path.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path.verdict.write_bytes(msgspec.json.encode(verdict(run)))
    return path.path


def _plan(run: Run) -> dict[str, Any]:
    return {
        "schema": 1,
        "scenario": run.scenario,
        "title": run.title,
        "seed": run.seed,
        "target": run.target,
        "system": "hastream",
        "members": ["n1", "n2", "n3"],
        "workload": {"name": "log", "clients": 3},
        "duration_s": 20,
        "bugs": run.bugs,
        "faults": [{"at_s": 3.0, "kind": "kill", "target": "leader"}],
        "promises": ["HS-2"],
        "command": f"delphic run {run.scenario} --seed {run.seed}",
    } | run.planned


def verdict(run: Run) -> RunVerdict:
    is_fail = run.validity is Validity.FAIL
    verdicts = (
        Verdict("log-durability", run.validity, run.sentence, ("HS-2", "HS-3"), (4, 9)),
        Verdict("elections", Validity.PASS, "One leader a term.", ("HS-1",)),
    )
    as_expected = run.expected == ("fail" if is_fail else "pass") and (
        run.validity in (Validity.PASS, Validity.FAIL)
    )
    return RunVerdict(
        schema=1,
        scenario=run.scenario,
        seed=run.seed,
        target=run.target,
        started=f"{run.started:%Y-%m-%dT%H:%M:%SZ}",
        duration_s=21.5,
        validity=run.validity,
        expected="fail" if run.expected == "fail" else "pass",
        as_expected=as_expected,
        exit_code=0 if as_expected else 1,
        sentence=run.sentence,
        verdicts=verdicts,
        statistics={
            "count": 9_000,
            "ok": 8_000,
            "ok_per_s": run.ok_per_s,
            "availability": {"longest": {"from_s": 3.0, "seconds": 0.75}},
            "coverage": {
                "steps": 100,
                "exercised": len(KINDS) - len(run.never),
                "kinds": len(KINDS),
                "never": run.never,
                "beyond": [],
            },
        },
        provenance=Provenance("0.1.0", run.git, run.is_dirty),
    )


def drawn(count: int, seed: int = 1) -> Iterator[Run]:
    """So many runs of forty scenarios on three targets by five versions, a few of them bad."""
    chance = random.Random(seed)
    for number in range(count):
        scenario = f"scenario-{number % 40:02}"
        is_bug = number % 40 >= 32
        odd = chance.random()
        validity = Validity.FAIL if is_bug else Validity.PASS
        if odd < 0.02:
            validity = chance.choice(list(Validity))
        yield Run(
            scenario=f"bug-{scenario}" if is_bug else scenario,
            seed=number // 120,
            target=("sim", "local", "lab")[number // 40 % 3],
            validity=validity,
            expected="fail" if is_bug else "pass",
            git=f"{5 * number // count}" * 40,
            started=BEGAN + timedelta(seconds=30 * number),
            ok_per_s=400 + 40 * chance.random(),
            bugs={"n1": ["vote-twice"]} if is_bug else {},
        )
