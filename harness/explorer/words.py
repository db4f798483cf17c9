"""What may happen next, in a plain sentence whose subject is the actor."""

from typing import Any

from ...model.actor import Fault, Model, Receive
from ...model.explore.show import event_text, text
from ...model.explore.world import Drop, Move, Reset
from ...model.raft_types import (
    Append,
    AppendReply,
    Ask,
    Compact,
    Crash,
    Fsync,
    Heartbeat,
    Offer,
    Own,
    PreVote,
    PreVoteReply,
    Replicate,
    Send,
    Snapshot,
    TakeBack,
    Vote,
    VoteReply,
)

CRASH = "crashes, and restarts with what its disk holds"

OWN = {
    Own.TIMEOUT: "hears from no leader for too long, and stands for election",
    Own.LAPSE: "has not heard its leader lately, and would vote for another",
    Own.REQUEST: "takes a client's entry into its log",
    Own.READ: "is asked to read by a client",
    Own.QUORUM: "asks itself whether a majority still answers it",
    Own.FSYNC: "has everything on disk that was written",
    Own.CHECKPOINT: "makes a checkpoint of what is committed",
}


def caption(model: Model, move: Move) -> str:
    """The move in words; where a model's own events speak for themselves, theirs."""
    match move.event:
        case Receive(message):
            said = _message(model, message)
        case Drop(message):
            return f"loses {text(message)}, from {_pair(model, message.src, message.dst)}"
        case Reset(src, dst):
            return f"breaks the connection from {_pair(model, src, dst)}"
        case Fault.CRASH:
            return CRASH
        case event:
            said = _own(model, event)
    return said or event_text(model, move)


def _pair(model: Model, src: int, dst: int) -> str:
    return f"{model.actor_name(src)} to {model.actor_name(dst)}"


def _own(model: Model, event: Any) -> str:
    match event:
        case Own():
            return OWN[event]
        case Replicate(peer):
            return f"sends {model.actor_name(peer)} what it lacks"
        case Heartbeat(peer):
            return f"tells {model.actor_name(peer)} that it leads"
        case Send(peer, _, 0):
            return f"tells {model.actor_name(peer)} that it leads"
        case Send(peer, prev, count):
            return f"sends {model.actor_name(peer)} {_entries(count)} behind index {prev}"
        case Offer(peer):
            return f"sends {model.actor_name(peer)} its snapshot"
        case Ask():
            return "asks all anew, so that answers can be told from older ones"
        case TakeBack(peer):
            return f"takes nothing for certain any more that {model.actor_name(peer)} acknowledged"
        case Fsync(writes):
            return f"has its {'oldest write' if writes == 1 else f'{writes} oldest writes'} on disk"
        case Compact(at):
            return f"drops its log up to entry {at}: a checkpoint holds that"
        case Crash(found):
            return f"crashes, and restarts with this on disk: {text(found)}"
    return ""


def _message(model: Model, m: Any) -> str:
    who = model.actor_name(m.src)
    match m:
        case Vote():
            return f"is asked by {who} for its vote in term {m.term}"
        case PreVote():
            return f"is asked by {who} whether it would get its vote in term {m.term}"
        case VoteReply():
            return f"{_answer(m.granted)} the vote of {who} in term {m.term}"
        case PreVoteReply():
            would = "would" if m.granted else "would not"
            return f"hears that {who} {would} vote for it in term {m.term}"
        case Append() if len(m.entries):
            entries = _entries(len(m.entries))
            return f"is sent {entries} behind index {m.prev} by {who}, leader of term {m.term}"
        case Append():
            return f"hears from {who} that it leads term {m.term}"
        case AppendReply() if m.success:
            return f"hears that {who} has its entries up to index {m.match}"
        case AppendReply():
            return f"hears that {who} refuses its entries in term {m.term}"
        case Snapshot():
            return f"is sent a snapshot of {_entries(len(m.prefix))} by {who}"
    return ""


def _answer(granted: bool) -> str:
    return "gets" if granted else "is refused"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"
