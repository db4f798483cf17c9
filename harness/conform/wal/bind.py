"""The binding of recovery: every pair that exploring `storage-built` reaches, and replays."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ....impl.bugs import (
    ACK_BEFORE_FSYNC,
    CACHE_SURVIVES_CUT,
    FOLDER_NOT_SYNCED,
    NO_ROLLBACK,
    REDO_EQUAL_LSN,
    TRUNCATE_OFF_BY_ONE,
)
from ....model.explore.limits import Limits
from ....model.explore.pairs import Pairs, explore_pairs
from ....model.explore.show import text
from ....model.storage_built import DIFFERENCES, built_options, built_storage
from ....model.storage_group import event_name
from ....model.storage_types import Member
from ..binding import Bounds, Conformance, Divergence
from ..binding import Difference as Meant
from .compare import Comparison, Difference
from .replay import replay

SMALL = (
    Bounds.of("two records, an overrule, a crash", records=2),
    Bounds.of("batches of two rows", records=2, batch=2, overrules=0),
    Bounds.of("a table is created", records=2, ddl=1),
)

DOCUMENTED = (
    Bounds.of("three records, an overrule, a crash", records=3),
    Bounds.of("two overrules: a former leader comes back", records=2, overrules=2),
    Bounds.of("two tables", records=2, tables=2),
    Bounds.of("batches of two rows", records=3, batch=2, overrules=0),
    Bounds.of("a table is created", records=3, ddl=1),
    Bounds.of("two tables are created", records=3, tables=2, ddl=2, overrules=0),
)


@dataclass(frozen=True)
class WalBinding:
    """`impl/raft/wal.py` and `impl/stream/datafile.py` against `model/storage_built.py`."""

    name: str = "wal"
    title: str = (
        "recovery of the log and of the data files (impl/raft/wal.py, impl/stream/datafile.py) "
        "against model/storage_built.py"
    )
    small: Sequence[Bounds] = SMALL
    documented: Sequence[Bounds] = DOCUMENTED
    bugs: frozenset[str] = frozenset(
        {
            ACK_BEFORE_FSYNC,
            CACHE_SURVIVES_CUT,
            FOLDER_NOT_SYNCED,
            NO_ROLLBACK,
            REDO_EQUAL_LSN,
            TRUNCATE_OFF_BY_ONE,
        }
    )

    @property
    def differences(self) -> Sequence[Meant]:
        """Where the model as built differs from the plain one."""
        return [Meant(d.name, d.reason) for d in DIFFERENCES]

    def conform(
        self,
        bounds: Bounds,
        *,
        bugs: frozenset[str] = frozenset(),
        first: bool = False,
        workers: int = 1,
    ) -> Conformance:
        """Compare every pair within the bounds; `first` ends at the first divergence."""
        began = time.perf_counter()
        pairs = reached(bounds, workers)
        result = Conformance(self.name, bounds, pairs.explored, len(pairs.states))
        comparison = Comparison(pairs, built_options(**dict(bounds.options)), bugs)
        for state, name, event, difference in _compared(pairs, comparison):
            result.pairs[name] += 1
            if difference is not None:
                result.diverge(_divergence(pairs, state, name, difference, event))
                if first:
                    break
        else:
            _replay(pairs, comparison, bugs, result)
        result.cores = comparison.steps
        result.seconds = time.perf_counter() - began
        return result


def reached(bounds: Bounds, workers: int) -> Pairs:
    """The model's pairs within the bounds."""
    model = built_storage(built_options(**dict(bounds.options)))
    return explore_pairs(model, workers=workers, limits=Limits(depth=bounds.depth))


def _compared(
    pairs: Pairs, comparison: Comparison
) -> Iterator[tuple[Member, str, Any, Difference | None]]:
    for _, state, event, step in pairs.found:
        assert step is not None
        yield state, event_name(event), event, comparison.step(state, event, step)
    for _, state in pairs.states:
        yield state, "vote", None, comparison.vote(state)
        yield state, "turn", None, comparison.turn(state)


def _replay(
    pairs: Pairs, comparison: Comparison, bugs: frozenset[str], result: Conformance
) -> None:
    for state, difference in replay(pairs, comparison, bugs):
        if difference is None:
            result.replayed += 1
        else:
            result.diverge(_divergence(pairs, state, "replay", difference, None))


def _divergence(
    pairs: Pairs, state: Member, name: str, difference: Difference, event: object
) -> Divergence:
    return Divergence(
        state,
        name,
        difference.field,
        difference.expected,
        difference.found,
        tuple(pairs.path(0, state)),
        difference.guess,
        None if event is None else text(event),
    )
