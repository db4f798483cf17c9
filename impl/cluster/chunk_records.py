"""What the redo log of a data node's chunks says."""

import msgspec

from .changes import Work


class Prepared(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """This node can do its part of a transaction, whatever happens; `coordinator` began it."""

    tid: int
    coordinator: str
    works: tuple[Work, ...]


class Committed(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The transaction's part is done; cids grow in the order of decisions."""

    tid: int
    cid: int


class Aborted(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The transaction's part will not be done."""

    tid: int


class Dropped(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """These chunks are no more."""

    chunks: tuple[int, ...]


Record = Prepared | Committed | Aborted | Dropped

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


class RecordError(Exception):
    """A record that makes no sense where it stands. The node must not start."""


def encode(record: Record) -> bytes:
    """Its bytes; the log adds a checksum."""
    return _encoder.encode(record)


def decode(payload: bytes) -> Record:
    """Undo `encode`; raises RecordError. Bodies are views of the payload, not copies."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"no record of chunks: {error}") from None
