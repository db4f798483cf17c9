"""What is known about a seeded bug."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """What goes wrong, in one sentence, where it was seen, and the promises that it breaks.

    `source` is where systems in the field made this mistake, or the paper's section that it
    ignores. What is also a mutant of the model has the mutant's name.
    """

    name: str
    mistake: str
    source: str
    promises: tuple[str, ...]
