"""Ways to publish and to subscribe that break a promise: documents by the letter, and near misses.

Each is the recommended way (`Options()`) but for what its name says, with a bound that shows it.
docs/findings.md tells of some. `source` names the sentence: S4 is the product's tutorial of HA
stream tables, RN its release notes, B and V are rules of semantics §4.9 and §6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .actor import Model, Network
from .subscription_group import subscription
from .subscription_rules import (
    Beyond,
    Closing,
    Dropping,
    Failure,
    Missing,
    Offset,
    Options,
    Publishing,
    Purged,
    Recording,
    Resume,
    Stored,
    Topic,
    Unsubscribed,
)


@dataclass(frozen=True)
class SubscriptionMutant:
    """Switches turned, and the promise that breaks."""

    name: str
    mistake: str
    source: str
    options: Options
    breaks: str

    def model(
        self, bounds: Mapping[str, Any] | None = None, network: Network | None = None
    ) -> Model:
        """The group and its subscribers with the mistake in them; `bounds` go before its own."""
        return subscription(replace(self.options, **(bounds or {})), network)


SUBSCRIPTION_MUTANTS: dict[str, SubscriptionMutant] = {
    mutant.name: mutant
    for mutant in (
        SubscriptionMutant(
            "publish-written",
            "A leader publishes what it has written.",
            "S4 §4, V2",
            Options(rows=1, crashes=0, publish=Publishing.WRITTEN),
            "published-rows-are-committed",
        ),
        SubscriptionMutant(
            "subscriptions-survive",
            "A step-down leaves the subscriptions as they are.",
            "B3",
            Options(rows=1, crashes=0, closing=Closing.NONE),
            "only-leaders-publish",
        ),
        SubscriptionMutant(
            "one-subscription-closed",
            "A step-down closes one subscription of several.",
            "B3",
            Options(
                rows=1, subscribers=2, connections=1, crashes=0, terms=1, closing=Closing.FIRST
            ),
            "only-leaders-publish",
        ),
        SubscriptionMutant(
            "closed-silently",
            "A step-down stops publishing, and leaves the connections open.",
            "B3, B4, RN 1.30.9",
            Options(rows=1, crashes=0, closing=Closing.SILENT),
            "every row is received",
        ),
        SubscriptionMutant(
            "start-moved",
            "A subscription from an offset that retention removed begins at the first row left.",
            "B12",
            Options(rows=1, crashes=0, purges=1, purged=Purged.MOVED),
            "starts-where-asked",
        ),
        SubscriptionMutant(
            "lag-skipped",
            "A subscription that retention overtakes goes on at the first row left.",
            "B12",
            Options(terms=1, crashes=0, purges=1, purged=Purged.SKIPPED),
            "rows-in-order",
        ),
        SubscriptionMutant(
            "beyond-refused",
            "A leader refuses an offset that it does not know of yet.",
            "B12",
            Options(rows=1, crashes=0, beyond=Beyond.REFUSED),
            "every row is received",
        ),
        SubscriptionMutant(
            "late-frames",
            "A subscriber takes frames of a connection that it has given up.",
            "V6",
            Options(crashes=0, own=False),
            "rows-in-order",
        ),
        SubscriptionMutant(
            "resume-as-asked",
            "After a break a subscriber asks for −1 again.",
            "B8",
            Options(rows=1, crashes=0, offset=Offset.LATEST, resume=Resume.ASKED),
            "no-row-skipped",
        ),
        SubscriptionMutant(
            "frame-counts-once",
            "After a frame the next offset is the frame's plus 1, however many rows it has.",
            "B14",
            Options(crashes=0, counted=False),
            "repeats-have-a-failure",
        ),
        SubscriptionMutant(
            "stay-at-site",
            "A subscriber asks the member that it first asked, whatever the answer.",
            "B2, B6",
            Options(rows=1, terms=1, connections=1, crashes=0, kills=1, ring=False),
            "every row is received",
        ),
        SubscriptionMutant(
            "queue-dropped",
            "A break forgets the rows that wait for the handler, and asks behind them.",
            "B8, B15",
            Options(rows=1, crashes=0, keeps=False),
            "every row is processed",
        ),
        SubscriptionMutant(
            "record-on-receipt",
            "The offset is recorded when rows are received.",
            "S4 §4, B9",
            Options(rows=1, terms=1, crashes=0, recording=Recording.RECEIVED),
            "recorded-is-processed",
        ),
        SubscriptionMutant(
            "failure-recorded",
            "A batch whose handler failed is recorded.",
            "V21",
            Options(rows=1, terms=1, crashes=0, failures=1, failure=Failure.ADVANCE),
            "recorded-is-processed",
        ),
        SubscriptionMutant(
            "failure-passed",
            "A failed batch is not recorded, but the next one that succeeds is.",
            "V21",
            Options(terms=1, crashes=0, failures=1, failure=Failure.SKIP),
            "recorded-is-processed",
        ),
        SubscriptionMutant(
            "batch-cut",
            "A batch is the first rows that wait; all that wait are recorded.",
            "B15",
            Options(terms=1, crashes=0, whole=False),
            "recorded-is-processed",
        ),
        SubscriptionMutant(
            "unsubscribe-records",
            "Unsubscribing records the rows that it drops.",
            "FN:unsubscribeTable",
            Options(rows=1, terms=1, crashes=0, unsubscribes=1, unsubscribed=Unsubscribed.RECORDED),
            "recorded-is-processed",
        ),
        SubscriptionMutant(
            "missing-is-latest",
            "−2 without a stored offset is taken for −1.",
            "B10, V9",
            Options(rows=1, terms=1, missing=Missing.LATEST, anchor=False),
            "restart-skips-nothing",
        ),
        SubscriptionMutant(
            "start-not-recorded",
            "A subscription from −1 on records nothing before its first row is processed.",
            "V9",
            Options(rows=1, terms=1, offset=Offset.LATEST, anchor=False),
            "restart-skips-nothing",
        ),
        SubscriptionMutant(
            "stored-ignored",
            "−2 is taken for −1 although there is a stored offset.",
            "RN 1.30.17",
            Options(rows=1, terms=1, stored=Stored.IGNORED),
            "restart-skips-nothing",
        ),
        SubscriptionMutant(
            "stored-again",
            "−2 goes on at the stored row, not behind it.",
            "V18",
            Options(rows=1, terms=1, anchor=False, stored=Stored.SAME),
            "repeats-have-a-failure",
        ),
        SubscriptionMutant(
            "topic-of-node",
            "The stored offset belongs to a member's table, and another member leads now.",
            "B13, V10",
            Options(rows=1, connections=3, topic=Topic.NODE),
            "repeats-have-a-failure",
        ),
        SubscriptionMutant(
            "drop-unguarded",
            "A table is dropped whoever is subscribed to it.",
            "S4 §2.5",
            Options(rows=1, terms=1, crashes=0, drops=1, dropping=Dropping.UNGUARDED),
            "dropped-is-unsubscribed",
        ),
        SubscriptionMutant(
            "drop-unfenced",
            "A subscription begins while a drop is under way.",
            "V14",
            Options(rows=1, terms=1, crashes=0, drops=1, dropping=Dropping.UNFENCED),
            "dropped-is-unsubscribed",
        ),
        SubscriptionMutant(
            "drop-forgotten",
            "A new leader lets subscriptions begin before it has applied its predecessor's drop.",
            "V14",
            Options(rows=1, crashes=0, drops=1, dropping=Dropping.FORGOTTEN),
            "dropped-is-unsubscribed",
        ),
        SubscriptionMutant(
            "no-throttle",
            "Less than a batch waits for more rows, for ever.",
            "B15",
            Options(rows=1, terms=1, crashes=0, batch=2, throttle=False),
            "every row is processed",
        ),
    )
}
