"""What a key column promises: HS-16, and that it does not cost HS-2, HS-4 and HS-26."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ..actor import Kind, Property, Scope, Step
from ..keyed_rules import Judge, Options, fresh, newest
from ..keyed_types import Group, Keys, Phase, Send, rows_of


class Promises:
    """The predicates for one set of options."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def keys_once_in_the_window(self, groups: tuple[Group, ...]) -> bool:
        """HS-16: "no two rows with equal key coexist inside the dedup window, on any replica"."""
        (s,) = groups
        return all(self._are_apart(replica.rows) for replica in s.replicas)

    def _are_apart(self, rows: Keys) -> bool:
        window = self.options.window
        last: dict[int, int] = {}
        for offset, key in enumerate(rows):
            before = last.get(key)
            if before is not None and (not window or offset - before <= window):
                return False
            last[key] = offset
        return True

    def judged_by_the_log(self, s: Group, event: Any, step: Step) -> bool:
        """V7: what a batch adds depends on the last rows of the log before it, and on nothing else.

        So a row that is repeated while its first copy is there, committed or not, adds nothing, and
        one whose key is not there is never lost.
        """
        after = _after(step)
        if not isinstance(event, Send) or len(after.log) == len(s.log):
            return True
        return after.log[-1].keys == fresh(event.keys, newest(self.options, rows_of(s.log)))

    def replicas_agree(self, groups: tuple[Group, ...]) -> bool:
        """HS-4, X5: replicas have the same rows, as far as they have got."""
        (s,) = groups
        replicas = sorted(s.replicas, key=lambda replica: replica.applied)
        for behind, ahead in pairwise(replicas):
            level = behind.applied == ahead.applied
            same = ahead.rows if level else ahead.rows[: len(behind.rows)]
            if behind.rows != same:
                return False
        return True

    def acknowledged_rows_are_there(self, groups: tuple[Group, ...]) -> bool:
        """HS-2, HS-3: who is told that a row is in the table finds it there, new or not."""
        (s,) = groups
        return s.acknowledged <= set(rows_of(s.log[: s.commit]))

    def properties(self) -> tuple[Property, ...]:
        """The promises, and what must be reachable within these bounds."""
        always, state = Kind.ALWAYS, Scope.TUPLE
        found = [
            Property(
                "keys-once-in-the-window", always, state, self.keys_once_in_the_window, ("HS-16",),
                "S4 §2.4, V7",
            ),
            Property(
                "replicas-agree", always, state, self.replicas_agree, ("HS-4", "HS-16"), "X5"
            ),
            Property(
                "acknowledged-rows-are-there", always, state, self.acknowledged_rows_are_there,
                ("HS-2", "HS-3"), "S4 §4",
            ),
        ]  # fmt: skip
        if self.options.judge is Judge.LEADER:
            judged = self.judged_by_the_log
            found.append(
                Property("judged-by-the-log", always, Scope.STEP, judged, ("HS-16",), "V7")
            )
        return (*found, *self._sometimes())

    def _sometimes(self) -> Iterator[Property]:
        options = self.options
        leaves = options.changes > 0 or options.restarts > 0
        wanted = [
            ("a repeated row is dropped", options.timeouts > 0 or leaves, drops),
            ("a row is dropped for one that waits", options.timeouts > 0, drops_for_pending),
            ("a row is dropped that another leader has logged", leaves, drops_for_former),
            (
                "a key comes again",
                0 < options.window < options.keys
                and options.producers * options.batches > options.window + 1,
                comes_again,
            ),
            ("a batch repeats itself", options.batch > 1, repeats_itself),
        ]
        for name, asked, holds in wanted:
            if asked:
                yield Property(name, Kind.SOMETIMES, Scope.STEP, holds, ("HS-16",))


def drops(s: Group, event: Any, step: Step) -> bool:
    """A producer sends a batch again, and nothing of it is logged."""
    if not isinstance(event, Send) or s.producers[event.producer].phase is not Phase.UNSURE:
        return False
    return len(_after(step).log) > len(s.log) and not _after(step).log[-1].keys


def drops_for_pending(s: Group, event: Any, step: Step) -> bool:
    """What was sent again is logged, and not committed yet."""
    return drops(s, event, step) and not set(event.keys) & set(rows_of(s.log[: s.commit]))


def drops_for_former(s: Group, event: Any, step: Step) -> bool:
    """The leader has logged nothing of that key itself."""
    return drops(s, event, step) and not set(event.keys) & set(rows_of(s.log[s.serves_from :]))


def comes_again(s: Group, event: Any, step: Step) -> bool:
    """A key is logged that the table has already, out of the window."""
    if not isinstance(event, Send) or len(_after(step).log) == len(s.log):
        return False
    return bool(set(_after(step).log[-1].keys) & set(rows_of(s.log)))


def repeats_itself(s: Group, event: Any, step: Step) -> bool:
    """Of equal rows in one batch one is logged."""
    if not isinstance(event, Send) or len(_after(step).log) == len(s.log):
        return False
    return 0 < len(_after(step).log[-1].keys) < len(event.keys)


def all_answered(groups: tuple[Group, ...]) -> bool:
    """HS-22, HS-26: no producer waits, and all replicas have all rows."""
    (s,) = groups
    level = all(replica.applied == len(s.log) for replica in s.replicas)
    return level and all(producer.phase is Phase.IDLE for producer in s.producers)


ANSWERED = Property(
    "every producer is answered", Kind.EVENTUALLY, Scope.TUPLE, all_answered, ("HS-22", "HS-26")
)


def _after(step: Step) -> Group:
    assert isinstance(step.state, Group)
    return step.state
