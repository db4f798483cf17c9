"""Carries the data of snapshots between members, in pieces, beside the core.

A leader's core offers a snapshot by a message. That is kept back here until the peer has all the
data durably; pieces of bounded size go ahead, few at a time, so that heartbeats are not held up.
Whatever is lost is sent again, at the latest when the core offers again; the receiver says from
where.
"""

import logging
import zlib
from collections.abc import Callable

from ..runtime import Worker
from ..wire import PeerMessage, SnapshotPiece, SnapshotReceipt
from .machine import Export, Machine
from .messages import SnapshotRequest
from .terms import Position, Runs, end_of

PIECE_BYTES = 256 << 10
WINDOW_BYTES = 4 * PIECE_BYTES
"""Under way without a receipt."""

log = logging.getLogger("delphic.snapshots")

Send = Callable[[str, PeerMessage | SnapshotPiece | SnapshotReceipt], bool]


class _Sending:
    """One snapshot on its way to one peer."""

    def __init__(self, offer: PeerMessage, terms: Runs, export: Export) -> None:
        self.offer = offer
        self.terms = terms
        self.export = export
        self.sent = 0
        self.received = 0
        self.rewound: int | None = None
        """Where the last repetition began: all pieces behind a lost one ask for it."""
        self.is_heard = False
        """Whether the peer has said anything since the last offer."""


class Sender:
    """The snapshots that a leader sends."""

    def __init__(self, group: int, machine: Machine, send: Send) -> None:
        self._group = group
        self._machine = machine
        self._send = send
        self._sending: dict[str, _Sending] = {}
        self.sent_count = 0
        """Snapshots that peers have received whole."""

    @property
    def is_busy(self) -> bool:
        """Whether a snapshot makes its way: a newer checkpoint would make it worthless.

        A peer that is silent does not count, for it may be so for ever.
        """
        return any(sending.is_heard for sending in self._sending.values())

    def offer(self, frame: PeerMessage) -> None:
        """Send a snapshot's data, then this message; or go on with it. Raises OSError."""
        message = frame.message
        assert isinstance(message, SnapshotRequest)
        known = self._sending.get(message.dst)
        if known is not None and known.terms == message.terms:
            known.offer = frame
            known.is_heard = False
            known.rewound = None
            known.sent = known.received
        else:
            self.forget(message.dst)
            export = self._machine.export()
            if export is None or export.position != Position(*end_of(message.terms)):
                # The checkpoint is newer than where the log begins: the next offer is of that.
                if export is not None:
                    export.close()
                return
            self._sending[message.dst] = _Sending(frame, message.terms, export)
        self._go_on(message.dst)

    def receipt(self, peer: str, receipt: SnapshotReceipt) -> None:
        """The peer says how much it has. Raises OSError."""
        sending = self._sending.get(peer)
        if sending is None or receipt.terms != sending.terms:
            return
        sending.is_heard = True
        size = sending.export.size
        sending.received = min(receipt.size, size)
        if receipt.is_elsewhere and sending.received != sending.rewound:
            sending.sent = sending.rewound = sending.received
        if receipt.is_durable:
            self.forget(peer)
            self.sent_count += 1
            self._send(peer, sending.offer)
        else:
            self._go_on(peer)

    def forget(self, peer: str) -> None:
        """Nothing more goes to this peer."""
        sending = self._sending.pop(peer, None)
        if sending is not None:
            sending.export.close()

    def close(self) -> None:
        """This member leads no more, or ends."""
        for peer in list(self._sending):
            self.forget(peer)

    def _go_on(self, peer: str) -> None:
        sending = self._sending[peer]
        export = sending.export
        while sending.sent < export.size and sending.sent - sending.received < WINDOW_BYTES:
            data = export.read(sending.sent, PIECE_BYTES)
            piece = SnapshotPiece(
                self._group, sending.terms, export.size, sending.sent, zlib.crc32(data), data
            )
            if not self._send(peer, piece):
                return
            sending.sent += len(data)


class Receiver:
    """The snapshot that arrives at a follower."""

    def __init__(
        self,
        group: int,
        machine: Machine,
        worker: Worker,
        send: Send,
        failed: Callable[[OSError], None],
        *,
        forgets: bool = True,
    ) -> None:
        """Without `forgets`, what was installed may be installed again: a seeded bug."""
        self._group = group
        self._machine = machine
        self._worker = worker
        self._forgets = forgets
        self._send = send
        self._failed = failed
        self._key: tuple[str, Runs, int] | None = None
        """From whom, of which entries, how long: checkpoints may differ in how old rows are."""
        self._is_durable = False
        self._is_syncing = False
        self.is_locked = False
        """What was received is being installed: nothing else may take its place."""

    def has(self, message: SnapshotRequest) -> bool:
        """Whether all the data of this snapshot are here, durably."""
        return self._is_durable and self._key is not None and self._key[1] == message.terms

    def take(self, peer: str, piece: SnapshotPiece) -> None:
        """Take a piece. Raises OSError."""
        if self.is_locked or self._is_syncing:
            return
        staging, key = self._machine.staging, (peer, piece.terms, piece.total)
        if key != self._key:
            staging.clear()
            self._key, self._is_durable = key, False
        size = staging.size()
        if piece.at != size or zlib.crc32(piece.data) != piece.crc:
            self._tell(peer, piece, is_elsewhere=True)
            return
        staging.append(piece.data)
        if size + len(piece.data) < piece.total:
            self._tell(peer, piece)
            return
        self._is_syncing = True
        self._worker.submit(staging.seal, lambda error: self._synced(peer, piece, error))

    def discard(self) -> None:
        """What was received is not needed any more. Raises OSError."""
        assert not self.is_locked
        if self._key is not None and not self._is_syncing:
            self._key, self._is_durable = None, False
            self._machine.staging.clear()

    def installed(self) -> None:
        """What was received has found its place. Raises OSError."""
        self.is_locked = False
        if self._forgets:
            self._key, self._is_durable = None, False
            self._machine.staging.clear()

    def _synced(self, peer: str, piece: SnapshotPiece, error: OSError | None) -> None:
        self._is_syncing = False
        if error is not None:
            self._failed(error)
            return
        staging = self._machine.staging
        if staging.complaint:
            log.error("group %d: snapshot from %s: %s", self._group, peer, staging.complaint)
            staging.clear()
        self._is_durable = not staging.complaint
        self._tell(peer, piece, is_elsewhere=not self._is_durable)

    def _tell(self, peer: str, piece: SnapshotPiece, *, is_elsewhere: bool = False) -> None:
        size = self._machine.staging.size()
        receipt = SnapshotReceipt(self._group, piece.terms, size, self._is_durable, is_elsewhere)
        self._send(peer, receipt)
