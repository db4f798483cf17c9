"""A candidate's count of those who grant what it asks for: a pre-vote, or votes in a new term."""

from ..bugs import DUPLICATE_VOTE_COUNTED, PRE_VOTE_COUNTED, STALE_VOTE_COUNTED
from .messages import VoteResponse


class Poll:
    """One question to all members: may I lead in `term`? (`pre`: would you say so if I asked?)

    # Invariant: `voters` are members who granted this very question; who asks is one of them.
    """

    def __init__(self, member: str, term: int, *, pre: bool, bugs: frozenset[str]) -> None:
        self.term = term
        self.pre = pre
        self.voters = {member}
        self._bugs = bugs

    def count(self, m: VoteResponse) -> bool:
        """Take an answer; true if it grants what is asked here."""
        is_kind = m.pre == self.pre or (PRE_VOTE_COUNTED in self._bugs and m.pre)
        is_term = m.term == self.term or STALE_VOTE_COUNTED in self._bugs
        if not (m.granted and is_kind and is_term):
            return False
        voter = m.src
        if DUPLICATE_VOTE_COUNTED in self._bugs and voter in self.voters:
            voter = f"{m.src}, answer {len(self.voters)}"
        self.voters.add(voter)
        return True
