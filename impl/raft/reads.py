"""Reads that a leader may answer only once a majority has said that it still leads (ReadIndex)."""


class Reads:
    """Reads on their way, in rounds: one round is asked at a time, new reads wait for the next.

    # Invariant: index is the commit index at a moment after every read of the round was requested.
    """

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.asked: tuple[int, ...] = ()
        self.round = 0
        self.index = 0

    def wait(self, tokens: tuple[int, ...]) -> None:
        """Take reads for the next round."""
        self.waiting.extend(tokens)

    def ask(self, index: int) -> None:
        """Begin a round for all that wait; `index` is the commit index now."""
        assert self.waiting
        assert not self.asked
        self.round += 1
        self.index = index
        self.asked = tuple(self.waiting)
        self.waiting = []

    def skip(self) -> None:
        """Begin a round that no read waits for, to tell answers to it from older ones."""
        assert not self.asked
        self.round += 1

    def confirm(self) -> list[tuple[int, int]]:
        """The round is confirmed: its reads, each with the index that must be applied first."""
        assert self.asked
        confirmed = [(token, self.index) for token in self.asked]
        self.asked = ()
        return confirmed

    def refuse(self) -> list[int]:
        """Give up all of them."""
        refused = [*self.asked, *self.waiting]
        self.asked = ()
        self.waiting = []
        return refused
