"""A group's checkpoints and snapshots: when they are made, sent, received and installed (§7).

The order that must hold. A checkpoint is durable before the core hears of it and lets the log
begin behind it. A snapshot's data are durable before the core hears of the snapshot; that the log
begins behind it is durable before the tables are replaced. Wherever the process dies, what the log
begins behind is in the tables, or staged as a whole.
"""

import logging
from collections.abc import Callable

from ..bugs import OLD_SNAPSHOT_INSTALLED, SNAPSHOT_OFF_BY_ONE
from ..wire import PeerMessage, SnapshotPiece, SnapshotReceipt
from .applier import Applier
from .checkpoints import Checkpoints
from .core import Core
from .machine import Machine
from .messages import SnapshotRequest
from .ready import Ready
from .surroundings import Surroundings
from .terms import Runs, end_of
from .transfer import Receiver, Sender

log = logging.getLogger("delphic.snapshots")


class Snapshots:
    """Everything that a group does about them. All in the node's event loop."""

    def __init__(
        self,
        group: int,
        core: Core,
        machine: Machine,
        applier: Applier,
        around: Surroundings,
        *,
        wake: Callable[[], None],
        failed: Callable[[OSError], None],
    ) -> None:
        """`wake` has the group take a turn soon."""
        self._group = group
        self._core = core
        self._machine = machine
        self._applier = applier
        self._worker = around.runtime.worker
        self._send = around.send
        self._wake = wake
        self._failed = failed
        self._is_closed = False
        self._bytes = 0
        self._sender = Sender(group, machine, around.send)
        self._takes_old = OLD_SNAPSHOT_INSTALLED in core.bugs
        self._receiver = Receiver(
            group, machine, self._worker, around.send, self._fail, forgets=not self._takes_old
        )
        self._checkpoints = Checkpoints(
            machine,
            around.runtime.clock,
            self._worker,
            around.checkpoints,
            applied=self._applied,
            done=self._checkpointed,
        )
        self.installed_count = 0

    def status(self) -> dict[str, int]:
        """What was done since the start, and where the log begins."""
        return {
            "base": self._core.log.base_index,
            "checkpoints": self._checkpoints.count,
            "sent": self._sender.sent_count,
            "installed": self.installed_count,
        }

    def start(self) -> None:
        """Begin to count the time."""
        self._checkpoints.start()

    def close(self) -> None:
        """Begin nothing any more."""
        self._is_closed = True
        self._checkpoints.close()
        self._sender.close()

    # What the group does in a turn.

    def heard(self, message: SnapshotRequest, step: Callable[[], Ready]) -> None:
        """A snapshot is offered: the core hears of it, by `step`, if the data are here or needless.

        Else it is as if the message had been lost.
        """
        is_new = message.last_index > self._core.commit
        if (is_new or self._takes_old) and not self._receiver.has(message):
            return
        if step().installs:
            assert self._receiver.has(message)
            self._receiver.is_locked = True
            self._applier.is_paused = True
        elif not self._receiver.is_locked:
            self._attempt(self._receiver.discard)

    def offer(self, frame: PeerMessage) -> None:
        """The core offers a snapshot: its data go first."""
        self._attempt(lambda: self._sender.offer(frame))

    def follow(self) -> None:
        """This member does not lead any more: it sends nothing."""
        self._sender.close()

    def install(self, terms: Runs) -> None:
        """It is durable that the log begins behind the snapshot: let the tables follow."""
        self._worker.submit(self._machine.install(terms), lambda error: self._done(terms, error))

    def go_on(self) -> int | None:
        """Begin a checkpoint if one is due; gives where the log may begin. Raises OSError."""
        grown, self._bytes = self._applier.bytes - self._bytes, self._applier.bytes
        self._checkpoints.grown(grown)
        is_next_due = self._checkpoints.is_due
        self._checkpoints.go_on()
        entries, index = self._core.log, self._checkpoints.index
        if not entries.base_index < index <= min(entries.commit, entries.durable):
            return None
        leading = self._core.leading
        is_fed = leading is not None and leading.feeds(index)
        # A peer that is only slow is waited for, but no longer than until the next checkpoint.
        return None if is_fed and not is_next_due else index

    # What peers send.

    def transferred(self, peer: str, frame: SnapshotPiece | SnapshotReceipt) -> None:
        """A piece of a snapshot, or word of one."""
        if self._is_closed:
            return
        if isinstance(frame, SnapshotReceipt):
            self._attempt(lambda: self._sender.receipt(peer, frame))
        elif end_of(frame.terms)[0] <= self._core.commit:
            receipt = SnapshotReceipt(self._group, frame.terms, 0, True, False)
            self._send(peer, receipt)
        else:
            self._attempt(lambda: self._receiver.take(peer, frame))

    def _attempt(self, what: Callable[[], None]) -> None:
        try:
            what()
        except OSError as error:
            self._fail(error)

    def _applied(self) -> int | None:
        if self._applier.is_paused or self._sender.is_busy or self._is_closed:
            return None
        return self._applier.applied

    def _checkpointed(self, error: OSError | None) -> None:
        if error is not None:
            self._fail(error)
        elif not self._is_closed:
            self._wake()

    def _done(self, terms: Runs, error: OSError | None) -> None:
        if error is not None:
            self._fail(error)
            return
        if self._is_closed:
            return
        self._attempt(self._installed)
        is_shifted = SNAPSHOT_OFF_BY_ONE in self._core.bugs
        self._applier.applied = end_of(terms)[0] + is_shifted
        self._applier.is_paused = False
        self.installed_count += 1
        log.info("group %d: installed a snapshot up to entry %d", self._group, end_of(terms)[0])
        self._wake()

    def _installed(self) -> None:
        self._machine.install_done()
        self._receiver.installed()

    def _fail(self, error: OSError) -> None:
        if not self._is_closed:
            self._failed(error)
