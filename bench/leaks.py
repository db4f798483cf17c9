"""Many runs in a row leave nothing behind: everything is counted on the way; prints JSON.

python bench/leaks.py [--runs 200] [--minutes 120] [--on local|lab|hosts|nothing] [--leak WHAT]

All is done in namespaces of its own, so that only what is its own is counted. One half of the runs
are commands of their own, the other half share this process. `lab`: a laboratory for each run;
`hosts`: one laboratory for all runs, whose hosts are counted, too; `nothing`: no run at all.
`--leak` leaks such a thing with every run, which must be found. Exit code 1: something is left.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delphic.__main__ import delphic
from delphic.harness.errors import DelphicError
from delphic.harness.lab import lab
from remains import groups, grown, loop_devices, remains, roots

ROOT = Path(__file__).resolve().parents[1]
INSIDE = "DELPHIC_LEAKS_INSIDE"

LOCAL, LAB, STAYING, NOTHING = "local", "lab", "hosts", "nothing"
HOSTS = 3

WARM = 4
"""Runs before the first count: what is there once, and used again, is no leak."""

RUN_S_MAX = 180.0
STEPS = 5

ENDED = {0, 3}
"""Exit codes of runs that ended as they should; 3: the machine was too busy to decide."""

PLAIN = """\
name: {mark}
promises: [HS-2]
workload: {{name: log, clients: 3, rate: 60, op_timeout: 500ms}}
duration: 2s
faults:
  - {{at: 200ms, partition: leader, for: 400ms}}
  - {{at: 900ms, kill: leader, for: 200ms}}
  - {{at: 1500ms, pause: leader, for: 300ms}}
"""

DEEP = """\
name: {mark}-deep
promises: [HS-2]
workload: {{name: log, clients: 3, rate: 60, op_timeout: 500ms}}
duration: 2500ms
faults:
  - {{at: 200ms, delay: {{links: all, by: 20ms}}, for: 300ms}}
  - {{at: 700ms, throttle: {{node: leader, to: 0.3}}, for: 300ms}}
  - {{at: 1200ms, power-cut: leader, for: 200ms}}
  - {{at: 1800ms, clock: {{node: leader, by: 5s}}, for: 200ms}}
"""

SHARED = [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]
"""Where anybody may put files: nobody else's are there to whom is inside."""

# $1: this checkout; $2: where to work, below it.
SETUP = """
set -eu
mount --make-rprivate /
ip link set lo up
checkout=$1
cd "$2"
shift 2
mkdir checkout
mount --bind "$checkout" checkout
for place in @SHARED@; do mount -t tmpfs leaks "$place"; done
case $checkout in /tmp/*|/var/tmp/*)
    mkdir -p "$checkout"
    mount --bind checkout "$checkout" ;;
esac
cd "$checkout"
"$@" && exit 0 || exit $?
""".replace("@SHARED@", " ".join(map(str, SHARED)))


@dataclass(slots=True)
class Place:
    """Where runs take place, and what is to be counted there."""

    on: str
    mark: str
    work: Path
    until: float
    settles_s: float
    hosts: list[Path] = field(default_factory=list)
    """The files of hosts that stay."""

    def run(self, number: int, *, shared: bool) -> int:
        """One run, in this process or in one of its own; its exit code."""
        if self.on == NOTHING:
            return 0
        scenario = self.work / ("plain.yaml" if number % 2 or self.on == LOCAL else "deep.yaml")
        where = str(self.work / "hosts.yaml") if self.on == STAYING else self.on
        out = self.work / "runs"
        own = ["run", str(scenario), "--seed", str(number + 100), "--on", where]
        words = [*own, "--quiet", "--out", str(out)]
        code, said = _here(words) if shared else _apart(words)
        if code not in ENDED:
            print(said, file=sys.stderr)
        shutil.rmtree(out, ignore_errors=True)
        return code

    def count(self) -> dict[str, int]:
        # A host's sshd says something about each connection in its log.
        logs = {files / "log" for files in self.hosts}
        return remains(self.mark, [Path(os.environ[INSIDE]), *SHARED], but={self.work, *logs})

    def settled(self, first: dict[str, int]) -> dict[str, int]:
        """What there is, once all has gone that goes by itself."""
        until = time.monotonic() + self.settles_s
        while grown(first, now := self.count()) and time.monotonic() < until:
            time.sleep(0.1)
        return now


def in_a_row(place: Place, runs: int, leaks: Sequence[str], *, shared: bool) -> dict[str, Any]:
    """So many runs, after those that warm up, and what was counted on the way."""
    for number in range(WARM):
        place.run(number, shared=shared)
    first = place.count()
    counted, codes = {0: first}, Counter[int]()
    for number in range(1, runs + 1):
        codes[place.run(number, shared=shared)] += 1
        for leak in leaks:
            LEAKS[leak](place, f"{number}-{shared:d}")
        out_of_time = time.monotonic() > place.until
        if out_of_time or number % max(1, runs // STEPS) == 0:
            counted[number] = place.settled(first)
        if out_of_time:
            break
    return {
        "runs": sum(codes.values()),
        "exit codes": dict(sorted(codes.items())),
        "counted after run": counted,
        "left": grown(first, counted[max(counted)]),
    }


def _here(words: Sequence[str]) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = delphic.main(list(words), standalone_mode=False) or 0
        except DelphicError as error:
            return error.exit_code, f"{said.getvalue()}{error}"
    return code, said.getvalue()


def _apart(words: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "delphic", *words],
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _sleep(*before: str) -> None:
    subprocess.Popen([*before, "sleep", "infinity"])


def _group(place: Place, name: str) -> None:
    next(iter(roots())).joinpath(f"{place.mark}-{name}").mkdir()


def _loop(place: Place, name: str) -> None:
    image = place.work / f"{place.mark}-{name}"
    with image.open("wb") as file:
        file.truncate(1 << 20)
    _do("losetup", "--find", str(image))


def _mount(_: Place, name: str) -> None:
    folder = Path("/tmp") / name
    folder.mkdir()
    _do("mount", "-t", "tmpfs", "leak", str(folder))


def _do(*words: str) -> None:
    subprocess.run(words, check=True, timeout=30)


LEAKS: dict[str, Callable[[Place, str], object]] = {
    "cgroup": _group,
    "descriptor": lambda _, __: os.open(os.devnull, os.O_RDONLY),
    "file": lambda _, name: Path(tempfile.gettempdir(), name).write_text("left"),
    "interface": lambda _, name: _do("ip", "link", "add", f"leak{name}", "type", "bridge"),
    "loop": _loop,
    "mount": _mount,
    "namespace": lambda _, __: _sleep("unshare", "--net"),
    "process": lambda _, __: _sleep(),
    "table": lambda _, name: _do("nft", "add", "table", "inet", f"leak-{name}"),
    "thread": lambda _, __: threading.Thread(target=threading.Event().wait, daemon=True).start(),
}
"""How to leak one of each, to see that it is found."""


@contextlib.contextmanager
def placed(on: str, mark: str, until: float, settles_s: float) -> Iterator[Place]:
    """A place to run at; nothing of it stays."""
    with tempfile.TemporaryDirectory(dir=os.environ[INSIDE]) as folder:
        place = Place(on, mark, Path(folder), until, settles_s)
        (place.work / "plain.yaml").write_text(PLAIN.format(mark=mark))
        (place.work / "deep.yaml").write_text(DEEP.format(mark=mark))
        made = lab.up(HOSTS) if on == STAYING else None
        try:
            if made is not None:
                shutil.copy(made.inventory.file, place.work / "hosts.yaml")
                place.hosts = [made.files(entry.name) for entry in made.inventory.hosts]
            yield place
        finally:
            if made is not None:
                lab.down(made)
            for device in loop_devices(mark):
                _do("losetup", "--detach", device)
            for group in groups(mark):
                group.rmdir()


def inside(chosen: argparse.Namespace) -> int:
    """All places, one after the other; the exit code."""
    until = time.monotonic() + 60 * chosen.minutes
    shown: dict[str, Any] = {"load": os.getloadavg()[0]}
    good = True
    for on in chosen.on or [LOCAL, LAB, STAYING]:
        for shared in (True, False):
            mark = f"leaks{uuid.uuid4().hex[:8]}"
            half = chosen.runs - chosen.runs // 2 if shared else chosen.runs // 2
            with placed(on, mark, until, chosen.settles) as place:
                found = in_a_row(place, half, chosen.leak, shared=shared)
            name = f"{on}, {'in one process' if shared else 'each in a process of its own'}"
            shown[name] = found
            good = good and not found["left"] and set(found["exit codes"]) <= ENDED
            print(
                f"{name}: {found['runs']} runs, left: {found['left'] or 'nothing'}", file=sys.stderr
            )
    print(json.dumps(shown, indent=2))
    return 0 if good else 1


def outside(words: Sequence[str], minutes: float) -> int:
    """Do it in namespaces, with which everything ends that is left; the exit code."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="leaks-") as work:
        own = {name: f"{work}/own/{name}" for name in ("tmp", "state", "cache")}
        for folder in own.values():
            Path(folder).mkdir(parents=True)
        environment = {
            **os.environ,
            INSIDE: f"{work}/own",
            "TMPDIR": own["tmp"],
            "DELPHIC_STATE": own["state"],
            "DELPHIC_CACHE": own["cache"],
        }
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        way = [
            "unshare",
            *user,
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]
        command = ["sh", "-c", SETUP, "sh", str(ROOT), work, sys.executable, *sys.argv]
        return subprocess.run(
            [*way, *command],
            env=environment,
            timeout=60 * minutes + 10 * RUN_S_MAX,
            check=False,
        ).returncode


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="at each place")
    parser.add_argument("--minutes", type=float, default=120, help="no run begins after so long")
    parser.add_argument("--on", action="append", choices=(LOCAL, LAB, STAYING, NOTHING))
    parser.add_argument("--leak", action="append", default=[], choices=sorted(LEAKS))
    parser.add_argument(
        "--settles",
        type=float,
        default=10,
        help="seconds that hosts and the kernel may take to tidy up behind a run",
    )
    chosen = parser.parse_args(arguments)
    return inside(chosen) if INSIDE in os.environ else outside(arguments, chosen.minutes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
