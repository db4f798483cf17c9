"""What may come in: messages that no member sends, whatever happened to it, end the connection."""

from ..wire import FrameError
from .core import Core
from .messages import AppendRequest, AppendResponse, Message, SnapshotRequest, VoteRequest
from .terms import are_runs


def check(message: Message, core: Core) -> None:
    """Raises FrameError for nonsense; what is only surprising is for the core."""
    reason = complaint(message)
    match message:
        case AppendResponse(term=core.term, match=matched) if (
            core.leading is not None and matched > core.log.last_index
        ):
            # Whatever a leader asked for in its term is in its log, and stays while it leads. Who
            # was restarted may have sent more in this term than it had written.
            reason = f"{matched} entries, where there are {core.log.last_index}"
    if reason is not None:
        raise FrameError(f"nonsense from {message.src}: {reason}")


def complaint(message: Message) -> str | None:
    """Why no member in any state sends this; None if one might."""
    match message:
        case AppendRequest(prev_index=0, prev_term=before) if before:
            return f"index 0 has term 0, not {before}"
        case AppendRequest(prev_term=before, entries=entries, term=term):
            for entry in entries:
                if entry.term < before:
                    return f"an entry of term {entry.term} after one of term {before}"
                before = entry.term
            if before > term:
                return f"an entry of term {before} from a leader of term {term}"
        case VoteRequest(last_index=0, last_term=last) if last:
            return f"index 0 has term 0, not {last}"
        case VoteRequest(last_term=last, term=term) if last > term:
            return f"a candidate of term {term} with an entry of term {last}"
        case SnapshotRequest(terms=terms, term=term):
            if not terms or not are_runs(terms):
                return "a snapshot of no log"
            if message.last_term > term:
                return f"a snapshot of term {message.last_term} from a leader of term {term}"
    return None
