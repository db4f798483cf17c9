"""Mistakes in the harness itself, as context managers: H1 to H8 of the harness notes, and more."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from .. import history, run
from ..checkers import CHECKERS
from ..checkers.log import view
from ..conduct import acts, conductor
from ..errors import ExitCode
from ..running import worker
from ..simulate.clock import HostClock
from ..simulate.disk import SimDisk
from ..simulate.messages import Deliver
from ..simulate.network import SimNet
from ..simulate.rules import RuleBook
from ..systems import rows
from ..targets.sim import SimCluster
from ..verdict import Validity
from . import sabotage
from .sabotage import Made, replaced


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake in the harness.

    `guard` is the check that has to notice it, of those the cheapest; others may, too.
    """

    name: str
    mistake: str
    source: str
    guard: str
    made: Made


def _blind_checkers() -> Iterable[Mutant]:
    for name in CHECKERS:
        mistake = f"The checker `{name}` passes whatever it sees."
        yield Mutant(f"passes-{name}", mistake, "H1", "planted", sabotage.passes(name))


_ALL = (
    *_blind_checkers(),
    Mutant(
        "monitor-passes",
        "The exact one of two opinions on linearizability passes whatever it sees.",
        "H1",
        "planted",
        sabotage.half_passes(0),
    ),
    Mutant(
        "search-passes",
        "The second opinion on linearizability passes whatever it sees.",
        "H1",
        "planted",
        sabotage.half_passes(1),
    ),
    Mutant(
        "duplicates-ignored",
        "What all checkers of a log look at has each row of a read once only.",
        "H2",
        "planted",
        replaced(view, "_add_read", sabotage.once_only),
    ),
    Mutant(
        "heal-does-nothing",
        "Links that were cut stay cut when they are healed.",
        "H3",
        "drills",
        replaced(SimCluster, "set_links", sabotage.set_links_never_heals),
    ),
    Mutant(
        "end-heals-nothing",
        "What is in force at the end of a run stays in force.",
        "H3",
        "drills",
        replaced(conductor.Conductor, "heal", sabotage.nothing),
    ),
    Mutant(
        "kill-hits-nobody",
        "Processes that are killed live on.",
        "H4",
        "drills",
        replaced(SimCluster, "set_process", sabotage.kills_nobody),
    ),
    Mutant(
        "kill-aims-at-nobody",
        "Whoever is to be killed, no member is found.",
        "H4",
        "drills",
        sabotage.aims_at_nobody("kill"),
    ),
    Mutant(
        "power-stays-on",
        "A power cut takes nothing from anybody.",
        "H4",
        "drills",
        replaced(SimCluster, "cut_power", sabotage.nothing),
    ),
    Mutant(
        "clock-fault-swallowed",
        "Clocks that are set wrong go on right, but say that they were set.",
        "H5",
        "drills",
        replaced(HostClock, "set", sabotage.nothing_at_once),
    ),
    Mutant(
        "disk-fault-swallowed",
        "Disks that are made slow stay as they are.",
        "H5",
        "drills",
        replaced(SimDisk, "set", sabotage.nothing_at_once),
    ),
    Mutant(
        "permission-fault-swallowed",
        "Files whose permissions are taken away may be written as before.",
        "H5",
        "drills",
        replaced(SimDisk, "lock", sabotage.nothing_at_once),
    ),
    Mutant(
        "task-data-stays",
        "Task data that is removed stays where it is, but is said to be gone.",
        "H5",
        "drills",
        replaced(SimCluster, "lose_task_data", sabotage.one_file),
    ),
    Mutant(
        "message-fault-swallowed",
        "Messages that are to be lost arrive.",
        "H5",
        "drills",
        replaced(SimNet, "set_messages", sabotage.nothing_at_once),
    ),
    Mutant(
        "message-fault-on-paper",
        "Messages that are to be lost arrive, although the network says that it loses them.",
        "H5",
        "drills",
        replaced(SimNet, "_screen", sabotage.nothing_at_once),
    ),
    Mutant(
        "drop-drops-nothing",
        "No message fits any rule.",
        "H5",
        "drills",
        replaced(RuleBook, "_decide", lambda *_: Deliver()),
    ),
    Mutant(
        "info-as-fail",
        "What nobody knows is recorded as what certainly did not happen.",
        "H6",
        "sound-runs",
        replaced(rows, "answer_to", sabotage.certain),
    ),
    Mutant(
        "by-wall-clock",
        "The history is in the order of clocks that differ by milliseconds.",
        "H7",
        "aa",
        replaced(history, "validated", sabotage.by_wall_clock),
    ),
    Mutant(
        "best-verdict-counts",
        "A run is as good as the best of its verdicts.",
        "H8",
        "exit-codes",
        sabotage.ordered(
            Validity.FAIL,
            Validity.HARNESS_ERROR,
            Validity.UNKNOWN,
            Validity.INCONCLUSIVE,
            Validity.PASS,
        ),
    ),
    Mutant(
        "unknown-masks-fail",
        "What is not known outweighs what is known to be broken.",
        "H8, Jepsen's test-all",
        "exit-codes",
        sabotage.ordered(
            Validity.PASS,
            Validity.INCONCLUSIVE,
            Validity.HARNESS_ERROR,
            Validity.FAIL,
            Validity.UNKNOWN,
        ),
    ),
    Mutant(
        "broken-promise-exits-0",
        "The exit code does not tell a broken promise from a pass.",
        "H8",
        "exit-codes",
        sabotage.exit_code(Validity.FAIL, ExitCode.AS_EXPECTED),
    ),
    Mutant(
        "clients-do-nothing",
        "No client sends anything.",
        "more",
        "aa",
        replaced(worker.Worker, "work", sabotage.rests),
    ),
    Mutant(
        "unknown-is-retried",
        "A client asks again for an append of which nobody knows whether it was done.",
        "more",
        "sound-runs",
        replaced(worker.Worker, "_answer", sabotage.retries),
    ),
    Mutant(
        "one-way-the-other-way",
        "A fault of one direction aims at the other one.",
        "more",
        "drills",
        sabotage.aims_backwards,
    ),
    Mutant(
        "links-the-other-way",
        "The links that are cut are those of the other direction.",
        "more",
        "drills",
        replaced(SimCluster, "set_links", sabotage.links_backwards),
    ),
    Mutant(
        "receipts-always-bite",
        "Every receipt says that the fault took hold.",
        "more",
        "drills",
        replaced(acts.Acts, "_tell", sabotage.always_bites),
    ),
    Mutant(
        "faults-never-happen",
        "The planned faults are left out.",
        "more",
        "sound-runs",
        replaced(conductor.Conductor, "conduct", sabotage.looks_away),
    ),
    Mutant(
        "final-read-skipped",
        "The whole log is not read in the end.",
        "more",
        "aa",
        sabotage.skips_final,
    ),
    Mutant(
        "replicas-compared-with-themselves",
        "All members' replicas are those of the first member.",
        "more",
        "controls",
        replaced(run.Run, "_status", sabotage.asks_the_first),
    ),
)

MUTANTS: Mapping[str, Mutant] = {mutant.name: mutant for mutant in _ALL}
"""All of them by name."""


def installed(name: str) -> AbstractContextManager[None]:
    """The harness with a mistake in it; without one where there is no such name."""
    mutant = MUTANTS.get(name)
    return nullcontext() if mutant is None else mutant.made()
