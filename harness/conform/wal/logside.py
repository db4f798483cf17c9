"""Every event of the log against the model's step: what it must have done, and what it did."""

from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

from ....impl.raft.messages import HardState
from ....model.storage_types import Records
from .disk import ImageDisk, Left
from .log import BYTES, Live, Save, Way, concretize, following
from .words import REFUSALS, Image

SECTORS_MAX = 4
"""Of what is not synced: every choice of them is tried."""

Images = tuple[Records, ...]


class Seen(NamedTuple):
    """The images after a step, as the model has them; or what is wrong before they are compared."""

    images: tuple[Records | str, ...] = ()
    wrong: tuple[str, object, object] | None = None


class Recoveries:
    """What recoveries find, each remembered: they depend on nothing but what is on the disk."""

    def __init__(self, batch: int, bugs: frozenset[str]) -> None:
        self._batch = batch
        self._bugs = bugs
        self._known: dict[tuple[Left, int], Image | str] = {}

    def __len__(self) -> int:
        return len(self._known)

    def images(
        self, disk: ImageDisk, way: Way, ends: Container[int] | None = None
    ) -> list[Image | str]:
        """What a power cut may leave, the oldest first, without repetitions in a row."""
        found: list[Image | str] = []
        for left in disk.beginnings(ends):
            image = self.found(left, way)
            if not found or found[-1] != image:
                found.append(image)
        return found

    def found(self, left: Left, way: Way) -> Image | str:
        """What a recovery makes of a disk, and has made durable; else what is wrong with it."""
        key = (left, way.segment_bytes)
        if key not in self._known:
            disk = ImageDisk(left)
            disk.watched = []
            self._known[key] = image = self._recovered(disk, way)
            if not disk.settled and any(
                self.found(again, way) != image for again in disk.beginnings()
            ):
                self._known[key] = f"believed {image}, which is not durable"
            elif any(self.found(again, way) != image for again in disk.watched):
                self._known[key] = f"{image}, but not if power fails in the middle of recovering"
        return self._known[key]

    def _recovered(self, disk: ImageDisk, way: Way) -> Image | str:
        try:
            return Live(disk, way, self._batch, self._bugs).found
        except REFUSALS as error:
            return f"{type(error).__name__}: {error}"


class LogSide:
    """Steps of a log, each tried once however many states of the member share it."""

    def __init__(self, batch: int, bugs: frozenset[str]) -> None:
        self.recoveries = Recoveries(batch, bugs)
        self._batch = batch
        self._bugs = bugs
        self._known: dict[tuple[object, ...], Seen] = {}

    @property
    def steps(self) -> int:
        """How many steps the implementation has made, recoveries included."""
        return len(self._known) + len(self.recoveries)

    def stay(self, images: Images, way: Way) -> Seen:
        """Nothing happens: abstract(concretize(state))."""
        return self._once(("stay", images, way), self._seen)

    def follow(self, images: Images, way: Way, leader: Records, term: int) -> Seen:
        """The leader's log becomes this one's."""

        def go(live: Live) -> Seen:
            save = following(live.expected.now, leader, term)
            if save is not None:
                live.write([save])
            return self._seen(live)

        return self._once(("follow", images, way, leader, term), go)

    def vote(self, images: Images, way: Way) -> Seen:
        """A vote is written, which the model knows nothing of."""

        def go(live: Live) -> Seen:
            live.write([Save(HardState(live.expected.now.hard_state.term + 1, "n3"))])
            return self._seen(live)

        return self._once(("vote", images, way), go)

    def meanwhile(self, images: Images, way: Way, *, fails: bool = False) -> Seen:
        """A vote while a sync is under way: it is written behind that, or never if that fails."""

        def go(live: Live) -> Seen:
            if not live.worker.jobs:
                return self._seen(live)
            error = OSError("a sync has failed") if fails else None
            if not live.vote_meanwhile(error):
                return Seen(images, ("written", "nothing while a sync is under way", "a vote"))
            if live.failures != ([error] if fails else []):
                return Seen(images, ("failures told", error, live.failures))
            seen = self._seen(live)
            left = images if fails else images[-1:]
            return seen if seen.images != left else seen._replace(images=images)

        return self._once(("meanwhile", images, way, fails), go)

    def sync(self, images: Images, way: Way) -> Seen:
        """What was written becomes durable."""

        def go(live: Live) -> Seen:
            live.sync()
            return self._seen(live)

        return self._once(("sync", images, way), go)

    def kill(self, images: Images, way: Way, *, sync_fails: bool = False) -> Seen:
        """The process is killed; the next one must not believe what is not durable (rule 3)."""

        def go(live: Live) -> Seen:
            if sync_fails:
                live.disk.fail_sync()
            live.disk.watched = []
            may = live.expected.images
            again = live.recovered(self._bugs)
            for left in live.disk.watched:
                image = self.recoveries.found(left, way)
                if image not in may:
                    return Seen(images, ("left while recovering", _told(may), str(image)))
            seen = self._seen(again)
            if again.found == live.expected.now:
                return seen
            told = str(live.expected.now), str(again.found)
            return seen._replace(wrong=("recovered", *told))

        return self._once(("kill", images, way, sync_fails), go)

    def crash(self, images: Images, way: Way, target: Records) -> Seen:
        """Power fails and leaves this image: some beginning of the bytes does, and is durable."""

        def go(live: Live) -> Seen:
            may = self.recoveries.images(live.disk, way, live.near_ends())
            left = [image for image in may if not isinstance(image, str)]
            if any(image.records == target for image in left):
                return Seen((target,))
            return Seen(logs_of(may))

        return self._once(("crash", images, way, target), go)

    def tear(self, images: Images) -> Seen:
        """Power fails at any byte of what was not synced."""
        return self.stay(images, BYTES)

    def lose_sectors(self, images: Images, way: Way) -> Seen:
        """Power fails, and any sectors of what was not synced are lost."""

        def go(live: Live) -> Seen:
            if len(live.disk.unsynced_sectors()) > SECTORS_MAX:
                return Seen(images)
            return self._one_of(live, images, live.disk.sectors())

        return self._once(("sectors", images, way), go)

    def lose_tail(self, images: Images) -> Seen:
        """Power fails, and a file has its new length, but zeros for what did not arrive."""
        return self._once(
            ("zeros", images, BYTES),
            lambda live: self._one_of(live, images, live.disk.zero_tails(live.near_ends())),
        )

    def _one_of(self, live: Live, images: Images, disks: Iterable[Left]) -> Seen:
        """Whether each of the disks is one of the images that a crash may leave."""
        for left in disks:
            image = self.recoveries.found(left, live.way)
            if image not in live.expected.images:
                return Seen(images, ("left by a crash", _told(live.expected.images), str(image)))
        return Seen(images)

    def _once(self, key: tuple[object, ...], go: Callable[[Live], Seen]) -> Seen:
        if key not in self._known:
            self._known[key] = self._try(key, go)
        return self._known[key]

    def _try(self, key: tuple[object, ...], go: Callable[[Live], Seen]) -> Seen:
        event, images, way = key[:3]
        assert isinstance(images, tuple)
        assert isinstance(way, Way)
        if event != "stay":
            stayed = self.stay(images, way)
            if stayed.images != images or stayed.wrong is not None:
                expected, found = [*map(_text, images)], [*map(_text, stayed.images)]
                wrong = stayed.wrong or ("", expected, found)
                return Seen(stayed.images, ("abstract(concretize(state))", *wrong[1:]))
        try:
            live = concretize(images, way, self._batch, self._bugs)
            return go(live)
        except REFUSALS as error:
            return Seen((), ("refusal", "a step", f"{type(error).__name__}: {error}"))

    def _seen(self, live: Live) -> Seen:
        near = None if live.way == BYTES else live.near_ends()
        found = self.recoveries.images(live.disk, live.way, near)
        expected = list(live.expected.images)
        wrong: tuple[str, object, object] | None = None
        if found != expected:
            wrong = ("images", _told(expected), _told(found))
        elif live.acknowledged != live.due:
            told = f"{live.due} writes, which are synced", f"{live.acknowledged} writes"
            wrong = ("acknowledged", *told)
        return Seen(logs_of(found), wrong)


def logs_of(images: Iterable[Image | str]) -> tuple[Records | str, ...]:
    """The images as the model has them: without terms and votes."""
    found: list[Records | str] = []
    for image in images:
        log = image if isinstance(image, str) else image.records
        if not found or found[-1] != log:
            found.append(log)
    return tuple(found)


def _told(images: Iterable[Image | str]) -> str:
    return " ⇢ ".join(map(str, images))


def _text(records: Records | str) -> str:
    return records if isinstance(records, str) else f"[{', '.join(map(str, records))}]"
