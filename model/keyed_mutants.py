"""Ways to keep keys apart that do not: documents by the letter, and near misses.

Each is the recommended way (`Options()`) but for what its name says, with a bound that shows it.
`source` names the sentence: R are mistakes in the field, X and V rules of semantics §4.7 and §6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .actor import Model, Network
from .keyed_group import keyed
from .keyed_rules import Judge, Known, Options, Source

QUIET = Options(timeouts=0, changes=0, restarts=0, checkpoints=0)
"""Nothing fails."""


@dataclass(frozen=True)
class KeyedMutant:
    """Switches turned, and the promise that breaks; `also_breaks`: others, if checked alone."""

    name: str
    mistake: str
    source: str
    options: Options
    breaks: str
    also_breaks: tuple[str, ...] = ()

    def model(
        self, bounds: Mapping[str, Any] | None = None, network: Network | None = None
    ) -> Model:
        """The group with the mistake in it; `bounds` go before its own. It has no network."""
        assert network is None
        return keyed(replace(self.options, **(bounds or {})))


KEYED_MUTANTS: dict[str, KeyedMutant] = {
    mutant.name: mutant
    for mutant in (
        KeyedMutant(
            "retries-forgotten",
            "A new leader knows no keys but those that came since it leads.",
            "R21: redpanda#3039, #5355",
            replace(QUIET, timeouts=1, changes=1, source=Source.NOTHING),
            "judged-by-the-log",
        ),
        KeyedMutant(
            "pending-keys-unknown",
            "Rows that are logged and not committed yet are not in the window.",
            "V7",
            replace(QUIET, timeouts=1, pending=False),
            "judged-by-the-log",
        ),
        KeyedMutant(
            "window-of-an-older-term",
            "A member that leads again has the window of the last time.",
            "V7",
            replace(QUIET, batches=1, changes=2, forgets=False),
            "judged-by-the-log",
        ),
        KeyedMutant(
            "judges-before-applying",
            "A new leader makes its window of its table before all is in it that is committed.",
            "Q9, V7",
            replace(QUIET, batches=1, changes=1, waits=False),
            "judged-by-the-log",
        ),
        KeyedMutant(
            "rows-in-memory",
            "The window is the table's rows in memory, which a restart and a checkpoint empty.",
            "X3",
            replace(QUIET, batches=1, timeouts=1, restarts=1, checkpoints=1, source=Source.MEMORY),
            "judged-by-the-log",
        ),
        KeyedMutant(
            "dropped-rows-count",
            "Rows that are dropped move the window on.",
            "X3, V7",
            replace(QUIET, batches=4, window=2, counts_dropped=True),
            "judged-by-the-log",
        ),
        KeyedMutant(
            "equal-keys-of-one-batch",
            "Rows of one batch are judged by what came before the batch.",
            "X2",
            replace(QUIET, batches=1, batch=2, first_wins=False),
            "judged-by-the-log",
        ),
        KeyedMutant(
            "each-replica-judges",
            "All rows are logged, and each replica drops those that it has in memory already.",
            "X3, X5",
            replace(QUIET, restarts=1, checkpoints=1, source=Source.MEMORY, judge=Judge.REPLICAS),
            "keys-once-in-the-window",
            ("replicas-agree",),
        ),
        KeyedMutant(
            "known-is-committed",
            "A batch with nothing new is answered at once: the rows are there, or will be.",
            "V7, HS-3",
            replace(QUIET, batches=1, timeouts=1, known=Known.ANSWERED),
            "acknowledged-rows-are-there",
        ),
        KeyedMutant(
            "known-is-nothing",
            "A batch with nothing new is dropped, and so is its answer.",
            "X4",
            replace(QUIET, batches=1, timeouts=1, known=Known.IGNORED),
            "every producer is answered",
        ),
    )
}
