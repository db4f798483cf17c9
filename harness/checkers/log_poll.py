"""Rows by offset as members themselves have them: what Jepsen's Kafka workload asks of a log.

A poll is a member's own view: it may lack what others have, but whatever it shows is the log. So
acknowledgements, polls and reads fill one table of offsets; nobody may contradict it, a member does
not take back what it has shown to a client unless it was restarted, and in the end every member
shows every acknowledged row.
"""

from bisect import bisect_left
from typing import Any

import msgspec

from ..evidence import Evidence
from ..history import Call, History
from ..op import OBSERVER, OpType
from ..prose import plural
from ..verdict import Validity, Verdict
from .checker import Checker, undecided
from .log.anomaly import PROMISES as OF_LOGS
from .log.placement import Placement, place
from .log.prose import append_text, read_text, seconds, summary
from .log.view import LogView, Read, logs, malformed
from .log.violation import Violation
from .replicas import answered, last_of_each, replica_ops
from .timeline import acts, phase
from .wrong import failure, first_of

NAME = "log-poll"
POLL = "poll"
PROMISES: dict[str, tuple[str, ...]] = {
    **OF_LOGS,
    "divergence": ("HS-4", "HS-5", "HS-12"),
    "phantom": ("HS-12",),
    "aborted-read": ("HS-6", "HS-11", "HS-12"),
    "taken-back": ("HS-5", "HS-12"),
    "lost": ("HS-2", "HS-20"),
}
"""Kind → promises, where a poll shows it."""

CHECKED = ("HS-2", "HS-4", "HS-5", "HS-6", "HS-11", "HS-12", "HS-20")
_RENAMED = {"two-rows-at-one-offset": "divergence"}


def judge(evidence: Evidence) -> Verdict:
    """Judge the polls of each table, together with what else is known of it."""
    history = evidence.history
    found = logs(history)
    if found.malformed:
        return malformed(NAME, found)
    polled = _polls(history)
    if isinstance(polled, str):
        return undecided(NAME, f"The history cannot be judged: {polled}.")
    count = sum(map(len, polled.values()))
    restarts = _restarts(history)
    anomalies: list[Violation] = []
    open_ends: list[str] = []
    known = {view.key for view in found.views}
    only_polled = [LogView(key, [], [], [], [], {}) for key in polled if key not in known]
    for view in (*found.views, *only_polled):
        polls = polled.get(view.key, [])
        reads = sorted([*view.reads, *polls], key=lambda read: read.ret)
        placement = place(msgspec.structs.replace(view, reads=reads))
        anomalies += [told(anomaly) for anomaly in placement.anomalies]
        if not placement.anomalies:
            anomalies += _out_of_time(reads, placement)
            anomalies += in_parts(polls, placement)
        anomalies += _taken_back(polls, restarts)
        since = _compared(evidence, view)
        if since is not None:
            anomalies += _lost(evidence, view, polls, since)
        if view.acknowledged:
            open_ends += _open_end(evidence, polls, since)
    details: dict[str, Any] = {"polls": count}
    if anomalies:
        details["operations"] = [summary(each) for each in first_of(anomalies).operations]
        return failure(NAME, anomalies, PROMISES, CHECKED, details)
    if not any(poll.rows for polls in polled.values() for poll in polls):
        return undecided(NAME, "No poll found a row.", Validity.INCONCLUSIVE)
    if open_ends:
        return undecided(NAME, f"{open_ends[0]}: whether rows are lost there is unknown.")
    members = len({node_of(poll) for polls in polled.values() for poll in polls})
    sentence = (
        f"{plural(count, 'poll')} at {plural(members, 'member')} show one log: no row at two "
        "offsets, no offset with two rows, and nothing taken back or lost."
    )
    return Verdict(NAME, Validity.PASS, sentence, CHECKED, details=details)


def node_of(poll: Read) -> str:
    """The member that was polled."""
    assert poll.call.completion is not None
    return poll.call.completion.node or ""


def _polls(history: History) -> dict[Any, list[Read]] | str:
    """Answered polls by table; or what no client could have recorded."""
    found: dict[Any, list[Read]] = {}
    for call in history.calls():
        if call.invoke.f == POLL and call.outcome is OpType.OK:
            poll = poll_of(call)
            if poll is None:
                return f"op {call.invoke.index} ({POLL}): asks [from, max] and finds row ids"
            found.setdefault(call.invoke.key, []).append(poll)
    return found


def poll_of(call: Call) -> Read | None:
    """The answered poll of a call; nothing where no client could have recorded it."""
    asked, completion = call.invoke.value, call.completion
    assert completion is not None
    rows = completion.value
    if not isinstance(asked, list) or len(asked) != 2 or not isinstance(rows, list):
        return None
    start, limit = asked
    if type(start) is not int or not set(map(type, rows)) <= {int}:
        return None
    return Read(call, start, limit, rows, call.invoke.index, completion.index)


ENDING = (
    *("kill", "restart", "power-cut", "crash-loop", "disk", "read-only", "mend", "bit-flip"),
    "cut-tail",
)


def _restarts(history: History) -> dict[str | None, list[int]]:
    """Ops at which a member may have lost its memory; under None those that name nobody."""
    found: dict[str | None, list[int]] = {None: []}
    for act in acts(history):
        if act.f not in ENDING:
            continue
        ends = [act.asked.index, *([] if act.receipt is None else [act.receipt.index])]
        nodes: list[str | None] = [*act.nodes] or [None]
        for node in nodes:
            found.setdefault(node, []).extend(ends)
    for op in history.of(OBSERVER):
        if op.f == "died":
            found.setdefault(op.node, []).append(op.index)
    return {node: sorted(indices) for node, indices in found.items()}


def told(anomaly: Any) -> Violation:
    """As what a poll has shown."""
    kind = _RENAMED.get(anomaly.kind, anomaly.kind)
    return Violation(kind, anomaly.sentence, anomaly.operations)


def _out_of_time(reads: list[Read], placement: Placement) -> list[Violation]:
    """Polls and reads that show a row whose append had not begun."""
    found = []
    for read in reads:
        late = next((r for r in read.rows if placement.view.owner[r].inv > read.ret), None)
        if late is not None:
            append = placement.view.owner[late]
            sentence = (
                f"{_capital(read_text(read))} showed row {late} before {append_text(append)} began "
                f"at {seconds(append.call.invoke)}."
            )
            found.append(Violation("future-read", sentence, (read, append)))
    return found


def in_parts(polls: list[Read], placement: Placement) -> list[Violation]:
    """Polls that end inside a batch although they asked for more rows."""
    found = []
    for poll in polls:
        if poll.is_full_page or not poll.rows or placement.ends[poll.end - 1] == poll.end:
            continue
        append = placement.holder(poll.end - 1)
        assert append is not None
        sentence = (
            f"{_capital(read_text(poll))} ended at offset {poll.end}, inside the batch of "
            f"{append_text(append)}."
        )
        found.append(Violation("torn-batch", sentence, (poll, append)))
    return found


def is_shorter(poll: Read, before: Read) -> bool:
    """Whether a poll shows that less is there than one before it had shown."""
    return not poll.is_full_page and poll.end < before.end


def taken_back(before: Read, poll: Read) -> Violation:
    """What a member had shown a client, and then did not."""
    sentence = (
        f"{_capital(read_text(poll))} showed no row from offset {poll.end} on, although "
        f"this member had shown its client offset {before.end - 1} in {read_text(before)}, "
        "and was not restarted since."
    )
    return Violation("taken-back", sentence, (before, poll))


def _taken_back(polls: list[Read], restarts: dict[str | None, list[int]]) -> list[Violation]:
    """Polls by a client of a member that has shown it more before, and was not restarted since."""
    longest: dict[tuple[Any, str], Read] = {}
    found = []
    for poll in sorted(polls, key=lambda read: read.inv):
        session = poll.call.invoke.process, node_of(poll)
        before = longest.get(session)
        if before is not None and _restarted(restarts, session[1], before.inv, poll.ret):
            before = None
        if before is not None and is_shorter(poll, before):
            found.append(taken_back(before, poll))
        if before is None:
            longest.pop(session, None)
        if poll.rows and (before is None or poll.end > before.end):
            longest[session] = poll
    return found


def _restarted(restarts: dict[str | None, list[int]], node: str, since: int, until: int) -> bool:
    for indices in (restarts.get(node, []), restarts[None]):
        at = bisect_left(indices, since)
        if at < len(indices) and indices[at] < until:
            return True
    return False


def _compared(evidence: Evidence, view: LogView) -> int | None:
    """The op by which all members had said that they hold the same; None: they never did."""
    compared = last_of_each([op for op in replica_ops(evidence.history) if op.key == view.key])
    said = [answered(op) for op in compared.values()]
    if not said or len(said) < len(evidence.members) or None in said:
        return None
    if len({replica.content for replica in said if replica is not None}) > 1:
        return None
    return max(op.index for op in compared.values())


def _open_end(evidence: Evidence, polls: list[Read], since: int | None) -> list[str]:
    """Why it is not known what a member shows in the end, if it is not."""
    if since is None or phase(evidence.history, "final") is None:
        return ["The members were not seen to hold the same in the end"]
    whole = (poll for poll in polls if poll.inv > since and not poll.is_full_page)
    shown = {node_of(poll) for poll in whole if poll.start == 0}
    return [
        f"Member {member} answered no poll of the whole table in the end"
        for member in evidence.members
        if member not in shown
    ]


def _lost(evidence: Evidence, view: LogView, polls: list[Read], since: int) -> list[Violation]:
    """Acknowledged rows that a member does not show once all said that they hold the same."""
    final = phase(evidence.history, "final")
    if final is None:
        return []
    found = []
    for poll in (poll for poll in polls if poll.inv > since):
        for append in view.acknowledged:
            offset = append.offset
            assert offset is not None
            end = offset + len(append.rows)
            if append.ret > final.index or poll.start > offset or poll.is_full_page:
                continue
            if poll.rows[offset - poll.start : end - poll.start] != append.rows:
                sentence = (
                    f"{_capital(append_text(append))} is lost at {node_of(poll)}: the final "
                    f"{read_text(poll)} does not show it."
                )
                found.append(Violation("lost", sentence, (append, poll)))
                break
    return found


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


LOG_POLL = Checker(
    name=NAME,
    question="Do the polls of all members show one log, of which no member takes anything back?",
    promises=CHECKED,
    judge=judge,
)
