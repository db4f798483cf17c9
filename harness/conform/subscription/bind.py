"""The binding of subscriptions: every pair that exploring the model reaches, on both sides."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....impl.bugs import PUBLISH_WRITTEN, RESUME_AS_ASKED, SUBSCRIPTIONS_SURVIVE
from ....model.explore.limits import Limits
from ....model.explore.pairs import Pairs, explore_pairs
from ....model.explore.show import text
from ....model.subscription_group import event_name, subscription
from ....model.subscription_rules import Offset, Options
from ..binding import Bounds, Conformance, Difference, Divergence
from .giver import Giver
from .taker import Taker

OFFSETS = {0: Offset.ZERO, -1: Offset.LATEST, -3: Offset.EARLIEST, 1: Offset.ONE}


SMALL = (
    Bounds.of("two rows, a fail-over, a crash of the subscriber"),
    Bounds.of("from the latest row", offset=-1),
    Bounds.of("offsets that are not stored", offset=-1, persist=0),
    Bounds.of("batches of two rows", terms=1, rows=3, batch=2),
)

DOCUMENTED = (
    *SMALL,
    Bounds.of("from a row that is not written yet", offset=1),
    Bounds.of("from the earliest row", offset=-3),
    Bounds.of("three members", members=3),
    Bounds.of("three connections", connections=3),
    Bounds.of("two crashes", rows=1, connections=3, crashes=2),
    Bounds.of("unsubscribed and back", rows=1, unsubscribes=1),
    Bounds.of("rows that retention removes", rows=2, purges=2, terms=1),
    Bounds.of("a table that is dropped", rows=1, crashes=0, drops=1),
    Bounds.of("two subscribers", rows=1, crashes=0, connections=1, subscribers=2),
)

DIFFERENCES = (
    Difference(
        "failed-rows-first-in-line",
        "What a handler fails with is handed over again until it succeeds, before anything else "
        "(model: it waits for the next subscription, and what comes behind it is not recorded).",
    ),
    Difference(
        "not-leader-elsewhere",
        "Who is no leader answers so before its broker is asked (model: one step).",
    ),
)


@dataclass(frozen=True)
class SubscriptionBinding:
    """`impl/client/cursor.py` and `impl/stream/broker.py` against `model/subscription.py`."""

    name: str = "subscription"
    title: str = (
        "where a subscriber is (impl/client/cursor.py) and what a leader publishes "
        "(impl/stream/broker.py) against model/subscription.py"
    )
    small: Sequence[Bounds] = SMALL
    documented: Sequence[Bounds] = DOCUMENTED
    bugs: frozenset[str] = frozenset({PUBLISH_WRITTEN, RESUME_AS_ASKED, SUBSCRIPTIONS_SURVIVE})

    @property
    def differences(self) -> Sequence[Difference]:
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
        options = options_of(bounds)
        pairs = reached(bounds, workers)
        result = Conformance(self.name, bounds, pairs.explored, len(pairs.states))
        taker, giver = Taker(options, bugs), Giver(options, bugs)
        for node, state, event, step in pairs.found:
            name = event_name(event)
            side = giver if node == 0 else taker
            differing = side.compare(state, event, step)
            if differing is None:
                continue
            result.pairs[name] += 1
            for what, expected, found in differing:
                path = tuple(pairs.path(node, state))
                cause = text(event)
                result.diverge(Divergence(state, name, what, expected, found, path, cause=cause))
            if differing and first:
                break
        result.cores = taker.steps + giver.steps
        result.seconds = time.perf_counter() - began
        return result


def options_of(bounds: Bounds) -> Options:
    """The model's options: offsets and switches are numbers in bounds."""
    chosen: dict[str, Any] = dict(bounds.options)
    offset, persist = OFFSETS[chosen.pop("offset", 0)], bool(chosen.pop("persist", 1))
    return Options(offset=offset, persist=persist, **chosen)


def reached(bounds: Bounds, workers: int) -> Pairs:
    """The model's pairs within the bounds."""
    model = subscription(options_of(bounds))
    return explore_pairs(model, workers=workers, limits=Limits(depth=bounds.depth))
