"""How a power cut decides what it leaves of what was not synced: by chance, or nothing of it."""

from random import Random


class NothingKept(Random):
    """Chance that is against whoever did not sync: no write, no name and no piece is left.

    What a disk keeps it draws: how many of the first ones (the least: none), and whether something
    unlikely happens (never).
    """

    def random(self) -> float:
        return 1.0 - 2**-53

    def randint(self, a: int, b: int) -> int:
        return a
