"""The search for a counterexample behind the page: one at a time, and it can be given up."""

import threading

import msgspec

from ...model.actor import Model
from ...model.explore.explorer import explore
from ...model.explore.limits import Limits, Progress
from ...model.explore.result import Eventually, Path, Result
from ...model.explore.show import rows
from ...model.explore.show_stuck import calm
from ...model.summary import sentence
from .atlas import Atlas

SECONDS = 60.0
MEMORY = 2 << 30
"""What a search may take where nobody said otherwise."""

NOTED = ("  never reached", "  never fired", "  eventually")
"""What an exploration adds to its verdict; what was reached has links of its own."""


class Late(msgspec.Struct, frozen=True):
    """A step after the end of faults: it has no address, for it is no step of the model as it is
    explored here.
    """

    number: int
    who: str
    caption: str
    changes: tuple[str, ...]


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """A path that shows something: `kind` is broken, stuck or reached.

    Where progress is missed for ever, faults end behind the `steps`, `then` comes and after that
    `again` and again; with nothing in `again`, nothing can happen.
    """

    kind: str
    property: str
    reason: str
    link: str
    steps: int
    then: tuple[Late, ...] = ()
    again: tuple[Late, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """How far it is: `status` is idle, running, done, given up or failed.

    `notes`: what was never reached, what never fired, what is eventually so.
    """

    status: str = "idle"
    limits: str = ""
    states: int = 0
    depth: int = 0
    seconds: float = 0.0
    sentence: str = ""
    notes: tuple[str, ...] = ()
    statistics: str = ""
    found: tuple[Found, ...] = ()


class GivenUp(Exception):
    """Nobody wants to know any more."""


class Hunt:
    """Explores the model in a thread of its own; what it found is led to by addresses."""

    def __init__(
        self,
        atlas: Atlas,
        lock: threading.Lock,
        *,
        limits: Limits,
        symmetry: bool = False,
        workers: int = 1,
        seed: int = 0,
    ) -> None:
        """`lock`: to be held by whoever touches the atlas."""
        self._atlas = atlas
        self._lock = lock
        self._limits = limits
        self._symmetry = symmetry
        self._workers = workers
        self._seed = seed
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._told = Told(limits=_limits_text(limits))

    def told(self) -> Told:
        with self._guard:
            return self._told

    def begin(self) -> Told:
        """Begin, unless one is on its way or has come to its end."""
        with self._guard:
            if self._told.status not in ("running", "done"):
                self._stop.clear()
                self._told = Told("running", self._told.limits)
                self._thread = threading.Thread(target=self._run, name="hunt", daemon=True)
                self._thread.start()
            return self._told

    def give_up(self) -> Told:
        """End it at the next level."""
        self._stop.set()
        return self.told()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        told = msgspec.structs.replace(self.told(), status="failed")
        try:
            result = explore(
                self._atlas.model,
                symmetry=self._symmetry,
                workers=self._workers,
                seed=self._seed,
                limits=self._limits,
                watch=self._watch,
            )
            with self._lock:
                told = self._end(result)
        except GivenUp:
            told = msgspec.structs.replace(self.told(), status="given up", sentence="Given up.")
        except MemoryError:
            told = msgspec.structs.replace(
                told, sentence="There was not enough memory; see --max-memory."
            )
        finally:
            with self._guard:
                self._told = told

    def _watch(self, now: Progress) -> None:
        if self._stop.is_set():
            raise GivenUp
        with self._guard:
            self._told = msgspec.structs.replace(
                self._told, states=now.states, depth=now.depth, seconds=now.seconds
            )

    def _end(self, result: Result) -> Told:
        model, lines = self._atlas.model, sentence(self._atlas.model, result).splitlines()
        found = []
        if result.violation is not None:
            place = self._atlas.along(result.violation.path)
            one = result.violation
            found.append(
                Found("broken", one.property, one.reason, self._atlas.link(place), len(one.path))
            )
        found += [self._stuck(model, one) for one in result.eventually if one.stuck is not None]
        for name, path in sorted(result.witnesses.items()):
            place = self._atlas.along(path)
            found.append(Found("reached", name, "", self._atlas.link(place), len(path)))
        return Told(
            "done",
            self._told.limits,
            result.states,
            result.depth,
            result.statistics["seconds"],
            lines[0],
            tuple(line.strip() for line in lines[1:-1] if line.startswith(NOTED)),
            lines[-1],
            tuple(found),
        )

    def _stuck(self, model: Model, one: Eventually) -> Found:
        stuck = one.stuck
        assert stuck is not None
        place = self._atlas.along(stuck.prefix)
        quiet = calm(model)
        then = len(stuck.prefix) + 1
        return Found(
            "stuck",
            one.property,
            f"While {one.phase}: {stuck.reason}.",
            self._atlas.link(place),
            len(stuck.prefix),
            _late(quiet, stuck.stem, then),
            _late(quiet, stuck.cycle, then + len(stuck.stem)),
        )


def _late(model: Model, path: Path, first: int) -> tuple[Late, ...]:
    found = rows(model, path, first)
    return tuple(Late(row.number, row.actor, row.event, row.changes) for row in found)


def _limits_text(limits: Limits) -> str:
    told = [
        f"{amount:,} {what}"
        for amount, what in (
            (limits.seconds, "seconds"),
            (limits.memory and limits.memory >> 20, "MiB"),
            (limits.states, "states"),
            (limits.depth, "levels"),
        )
        if amount is not None
    ]
    return f"at most {', '.join(told)}" if told else "without limits"


def limits_of(
    states: int | None, depth: int | None, memory_mib: int | None, seconds: float | None
) -> Limits:
    """The user's limits; where there are none, those that a page can wait for."""
    memory = memory_mib << 20 if memory_mib else MEMORY
    return Limits(states, depth, memory, seconds or SECONDS)
