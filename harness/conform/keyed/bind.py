"""The binding of key columns: every pair that exploring `keyed` reaches, and every state."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....impl.bugs import PENDING_KEYS_UNKNOWN, RETRIES_FORGOTTEN
from ....model.explore.limits import Limits
from ....model.explore.pairs import Pairs, explore_pairs
from ....model.explore.show import text
from ....model.keyed_group import event_name, keyed
from ....model.keyed_rules import Options
from ....model.keyed_types import Group
from ..binding import Bounds, Conformance, Divergence
from ..binding import Difference as Meant
from .compare import Comparison, Difference, acting

SMALL = (
    Bounds.of("a retry, two fail-overs", batches=1, changes=2, restarts=0, checkpoints=0),
    Bounds.of("a restart behind a checkpoint", batches=1, changes=0),
    Bounds.of("a key comes again", batches=3, changes=0, restarts=0, checkpoints=0),
    Bounds.of(
        "batches of two rows", batches=1, batch=2, window=0, changes=0, restarts=0, checkpoints=0
    ),
)

DOCUMENTED = (
    *SMALL,
    Bounds.of("a retry, a fail-over, a restart", checkpoints=0),
    Bounds.of("a key comes again, and a fail-over", batches=3, restarts=0, checkpoints=0),
)

DIFFERENCES = (
    Meant(
        "files-know-more",
        "Behind its checkpoint a restarted member's data files may have rows that it meets again "
        "as the log is redone (model: it has the checkpoint's rows and the log).",
    ),
    Meant(
        "no-entry-of-its-own",
        "Terms and the empty entry that begins each are Raft's, and not compared here (model: a "
        "leader serves when it has applied all that it had when it was elected).",
    ),
)


@dataclass(frozen=True)
class KeyedBinding:
    """`impl/stream/dedup.py` and the tables around it against `model/keyed.py`."""

    name: str = "keyed"
    title: str = (
        "the filter of key columns (impl/stream/dedup.py, impl/stream/tables.py) against "
        "model/keyed.py"
    )
    small: Sequence[Bounds] = SMALL
    documented: Sequence[Bounds] = DOCUMENTED
    bugs: frozenset[str] = frozenset({PENDING_KEYS_UNKNOWN, RETRIES_FORGOTTEN})

    @property
    def differences(self) -> Sequence[Meant]:
        """Where the implementation is meant to differ from the model."""
        return DIFFERENCES

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
        comparison = Comparison(pairs, options_of(bounds), bugs)
        for _, state, event, step in pairs.found:
            if step is None or acting(state, event) is None:
                continue
            assert isinstance(step.state, Group)
            name = event_name(event)
            result.pairs[name] += 1
            difference = comparison.step(state, event, step.state)
            if difference is not None:
                result.diverge(_divergence(pairs, state, name, difference, text(event)))
                if first:
                    break
        else:
            _replay(pairs, comparison, result)
        result.cores = comparison.steps
        result.seconds = time.perf_counter() - began
        return result


def options_of(bounds: Bounds) -> Options:
    """The model's options: its switches stay as they are."""
    chosen: dict[str, Any] = dict(bounds.options)
    return Options(**chosen)


def reached(bounds: Bounds, workers: int) -> Pairs:
    """The model's pairs within the bounds."""
    model = keyed(options_of(bounds))
    return explore_pairs(model, workers=workers, limits=Limits(depth=bounds.depth))


def _replay(pairs: Pairs, comparison: Comparison, result: Conformance) -> None:
    parents = {state for _, state, _, _ in pairs.tree()}
    known: set[Group] = set()
    for end in (state for _, state in pairs.states if state not in parents):
        for state, difference in comparison.replay(end, known):
            if difference is None:
                result.replayed += 1
            else:
                result.diverge(_divergence(pairs, state, "replay", difference, None))


def _divergence(
    pairs: Pairs, state: Group, name: str, difference: Difference, cause: str | None
) -> Divergence:
    return Divergence(
        state,
        name,
        difference.field,
        difference.expected,
        difference.found,
        tuple(pairs.path(0, state)),
        difference.guess,
        cause,
    )
