"""How long the old data files of a table are kept, each as a whole (C2).

A file's age counts from the first checkpoint that sees it finished, by the clock of this very
member, while it runs: a restart goes on from the age that the last checkpoint wrote down. So two
replicas may differ in how much of the past they still hold, and in nothing else; and a file is
rather kept too long than too short. The newest file is always kept.
"""

from .datafile import DataFiles
from .manifest import Kept

MINUTE_NS = 60 * 10**9
SECOND_NS = 10**9
_LONG_S = 2**31


class Ages:
    """When each finished file of a table was finished, in nanoseconds of this member's clock."""

    def __init__(self, kept: Kept, now_ns: int, *, forgotten: bool = False) -> None:
        """`forgotten`: a seeded bug, for which every file is as old as a clock can say."""
        self._finished_ns = {
            file: now_ns - (_LONG_S if forgotten else age_s) * SECOND_NS
            for file, age_s in enumerate(kept.ages_s, start=kept.first_file)
        }

    def first_kept(self, files: DataFiles, minutes: int, now_ns: int) -> int:
        """The number of the first file that is to be kept."""
        newest = files.settled.file
        for file in range(files.first_file, newest):
            self._finished_ns.setdefault(file, now_ns)
        first = files.first_file
        while first < newest and now_ns - self._finished_ns[first] >= minutes * MINUTE_NS:
            first += 1
        return first

    def ages_s(self, files: DataFiles, first: int, now_ns: int) -> tuple[int, ...]:
        """How old the finished files from `first` on are."""
        return tuple(
            (now_ns - self._finished_ns[file]) // SECOND_NS
            for file in range(first, files.settled.file)
        )

    def forget_before(self, first: int) -> None:
        """These files are gone."""
        for file in [file for file in self._finished_ns if file < first]:
            del self._finished_ns[file]
