"""Checks while a run goes on, by the checker that confirms what they see (to add: a line below)."""

from collections.abc import Callable, Iterable

from .elections import ElectionWatch
from .keyed import KeyedWatch
from .log import LogWatch
from .log_poll import PollWatch
from .subscriptions import SubscriptionWatch
from .watch import Watch

WATCHES: dict[str, Callable[[], Watch]] = {
    found.name: found
    for found in (LogWatch, PollWatch, KeyedWatch, SubscriptionWatch, ElectionWatch)
}


def watched(checkers: Iterable[str]) -> list[str]:
    """Those of a workload's checkers that can be asked while a run goes on."""
    return [name for name in checkers if name in WATCHES]
