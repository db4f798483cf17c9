"""What mistakes in the harness do: functions and entries replaced, for as long as one is in.

mutants.py says which there are, and who has to notice each.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import msgspec

from .. import history, run
from ..checkers import CHECKERS
from ..checkers.agreement import Agreement
from ..checkers.checker import Checker
from ..checkers.log import view
from ..conduct import acts, conductor
from ..errors import ExitCode
from ..evidence import Evidence
from ..history import History
from ..judging import judgement
from ..nemeses import NEMESES
from ..nemeses.nemesis import Aim
from ..op import Op, OpType
from ..running import worker
from ..system import Answer
from ..systems import rows
from ..targets.links import HEALED, Links
from ..targets.sim import SimCluster
from ..targets.target import ProcessState
from ..verdict import Validity, Verdict
from ..workloads import WORKLOADS
from ..workloads.workload import no_steps

Made = Callable[[], AbstractContextManager[None]]
"""Makes the mistake for as long as it is entered."""


@contextmanager
def attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute of a class or a module."""
    was = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, was)


@contextmanager
def entry(registry: Mapping[Any, Any], name: Any, value: Any) -> Iterator[None]:
    """Replace an entry of a registry."""
    assert isinstance(registry, dict)
    was = registry[name]
    registry[name] = value
    try:
        yield
    finally:
        registry[name] = was


def replaced(owner: Any, name: str, value: Any) -> Made:
    """The mistake of an attribute that is this."""
    return lambda: attribute(owner, name, value)


# H1, H2: checkers.


def satisfied(checker: Checker) -> Checker:
    """The same checker, but it passes whatever it sees."""

    def judge(_: Evidence) -> Verdict:
        return Verdict(checker.name, Validity.PASS, "All is well.", checker.promises)

    return replace(checker, judge=judge)


def passes(name: str) -> Made:
    """The checker of this name finds nothing wrong, ever."""

    def made() -> AbstractContextManager[None]:
        found = CHECKERS[name]
        if isinstance(found, Checker):
            return entry(CHECKERS, name, satisfied(found))
        exact, bounded = found.opinions
        return entry(
            CHECKERS, name, replace(found, opinions=(satisfied(exact), satisfied(bounded)))
        )

    return made


def half_passes(at: int) -> Made:
    """One of two opinions finds nothing wrong, ever."""

    def made() -> AbstractContextManager[None]:
        both = CHECKERS["linearizable"]
        assert isinstance(both, Agreement)
        exact, bounded = both.opinions
        opinions = (satisfied(exact), bounded) if at == 0 else (exact, satisfied(bounded))
        return entry(CHECKERS, both.name, replace(both, opinions=opinions))

    return made


def once_only(found: Any, call: Any, made: Any = view._add_read) -> Any:
    """Take in a read as if it had each row once only."""
    count, problem = len(found.reads), made(found, call)
    for at in range(count, len(found.reads)):
        read = found.reads[at]
        found.reads[at] = msgspec.structs.replace(read, rows=list(dict.fromkeys(read.rows)))
    return problem


# H3, H4, H5: faults.


async def set_links_never_heals(
    self: SimCluster, links: Links, made: Any = SimCluster.set_links
) -> None:
    """Carry out all orders but to heal."""
    if links != HEALED:
        await made(self, links)


async def nothing(*_: Any, **__: Any) -> None:
    """What is asked for is not done."""


def nothing_at_once(*_: Any, **__: Any) -> None:
    """The same, of what does not wait."""


async def one_file(*_: Any) -> int:
    """Something is said to be gone that is there."""
    return 1


async def kills_nobody(
    self: SimCluster, alias: str, state: ProcessState, made: Any = SimCluster.set_process
) -> None:
    """Carry out all orders but to kill."""
    if state is not ProcessState.DEAD:
        await made(self, alias, state)


def aims_at_nobody(kind: str) -> Made:
    """A kind of fault that finds no member, whoever is meant."""
    nemesis = NEMESES[kind]
    return lambda: entry(NEMESES, kind, replace(nemesis, aim=lambda *_: Aim(())))


def aims_backwards() -> AbstractContextManager[None]:
    """A fault of one direction that aims at the other."""
    nemesis = NEMESES["one-way"]

    def aim(*what: Any) -> Aim:
        right = nemesis.aim(*what)
        return replace(right, links={(b, a): state for (a, b), state in right.links.items()})

    return entry(NEMESES, nemesis.kind, replace(nemesis, aim=aim))


async def links_backwards(self: SimCluster, links: Links, made: Any = SimCluster.set_links) -> None:
    """Each link as the one in the other direction should be."""
    await made(self, {(b, a): state for (a, b), state in links.items()})


def always_bites(
    self: acts.Acts, wish: Any, observed: Any, bit: bool, made: Any = acts.Acts._tell, **more: Any
) -> None:
    """Say in every receipt that the act took hold."""
    made(self, wish, observed, True, **more)


# H6, H7: the history.


def certain(error: Any, made: Any = rows.answer_to) -> Answer:
    """What nobody knows certainly did not happen."""
    answer: Answer = made(error)
    if answer.type is OpType.INFO:
        return msgspec.structs.replace(answer, type=OpType.FAIL)
    return answer


SKEW_NS = 4_000_000


def by_wall_clock(ops: Iterable[Op], made: Any = history.validated) -> History:
    """Every process has a clock of its own, and the history is what these clocks say."""

    def said_ns(op: Op) -> int:
        return op.time_ns + (op.process % 3 * SKEW_NS if isinstance(op.process, int) else 0)

    ordered = sorted(ops, key=said_ns)
    found: History = made(
        msgspec.structs.replace(op, index=index, time_ns=said_ns(op))
        for index, op in enumerate(ordered)
    )
    return found


async def retries(
    self: worker.Worker, *asked: Any, made: Any = worker.Worker._answer, follow: bool
) -> tuple[Answer, str]:
    """Ask again although nobody knows whether it was done."""
    answer: tuple[Answer, str] = await made(self, *asked, follow=follow)
    unknown = answer[0].type is OpType.INFO
    return await made(self, *asked, follow=follow) if unknown else answer


async def looks_away(_: conductor.Conductor, duration_s: float, *__: Any) -> None:
    """A conductor that lets the time pass."""
    await asyncio.sleep(duration_s)


async def rests(self: worker.Worker, *_: Any) -> None:
    """A client that has nothing to do."""


def skips_final() -> AbstractContextManager[None]:
    """Nothing is asked in the end."""
    return entry(WORKLOADS, "log", replace(WORKLOADS["log"], final=no_steps))


async def asks_the_first(self: run.Run, _: str, made: Any = run.Run._status) -> Any:
    """Whoever is meant, the first member answers for its replica."""
    return await made(self, self._plan.members[0])


# H8: verdicts.


def ordered(*order: Validity) -> Made:
    """Another lattice, from the least severe to the most."""
    severity = property(lambda validity: order.index(validity))
    return replaced(Validity, "severity", severity)


def exit_code(validity: Validity, code: ExitCode) -> Made:
    """Another exit code for a validity."""
    return lambda: entry(judgement._EXIT_CODES, validity, code)
