"""What the controllers' log holds: one command an entry, each with all that its execution needs.

Whoever proposes puts in what only one node knows at that moment (times of day, the data nodes that
there are), so that every controller comes to the same catalog.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from ..hashing import Hash
from ..raft.machine import MachineError
from ..replication.tasks import TaskMeta
from .operations import Operation, Scheme

KEYS_MAX = 100_000
"""Partitions of one transaction."""

NAME_CHARACTERS_MAX = 200

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Keys = Annotated[tuple[Name, ...], msgspec.Meta(max_length=KEYS_MAX)]
Id = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Crc = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]


class Right(StrEnum):
    """What a user may do with a database, or with all of them."""

    DB_READ = "DB_READ"
    DB_WRITE = "DB_WRITE"
    DB_MANAGE = "DB_MANAGE"


class CommandError(MachineError):
    """A log record that is no command: whoever logged it was no controller of this version."""


class Statement(msgspec.Struct, frozen=True, array_like=True):
    """A metadata operation in full: what a slave needs to do the same.

    `scheme` is for CREATE_DOMAIN; `schema` and `column` (which tells the partition) for
    CREATE_PARTITIONED_TABLE, with the scheme that they fit; `keys` for DROP_PARTITION.
    """

    operation: Operation
    database: Name
    table: str = ""
    scheme: Scheme | None = None
    schema: bytes = b""
    column: str = ""
    keys: Keys = ()


class Begin(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A transaction that writes. `keys` None: all chunks that there are.

    `layout`: `mark_of` the table by which the coordinator found the keys.
    """

    user: str | None
    coordinator: Name
    operation: Operation
    database: Name
    table: Name
    keys: Keys | None
    layout: Crc
    applied: Id | None
    nodes: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    """All data nodes, in the order of the configuration."""


class Commit(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The decision that a transaction happens."""

    tid: Id
    meta: TaskMeta | None


class Complete(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """All participants have done it."""

    tid: Id
    at_ns: int


class Abort(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The decision that it never happens."""

    tid: Id


class Ddl(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A metadata operation, from its beginning to its end; `host` and `port` are of `node`."""

    user: str | None
    node: Name
    host: str
    port: Port
    statement: Statement
    applied: Id | None
    at_ns: int


class SetFlag(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Switch the replication of a database."""

    user: str | None
    host: str
    port: Port
    database: Name
    on: bool
    at_ns: int


class SetUser(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """Make a user; with `admin` None, change the password of one. `by` must be allowed to."""

    by: str | None
    name: Name
    hash: Hash
    admin: bool | None


class RemoveUser(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """Delete a user."""

    by: str | None
    name: Name


class SetRight(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """Give a user a right, or take it away."""

    by: str | None
    name: Name
    right: Right
    object: Name
    on: bool


class Swept(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """A data node has deleted these chunks."""

    node: Name
    chunks: tuple[Id, ...]


class Replicate(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """An entry for the part that replicates; only that part knows what it says."""

    entry: bytes


class FirstUser(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """The first leader's: there is an administrator from now on, if there was none."""

    name: Name
    hash: Hash


Command = (
    Begin
    | Commit
    | Complete
    | Abort
    | Ddl
    | SetFlag
    | SetUser
    | RemoveUser
    | SetRight
    | Swept
    | Replicate
    | FirstUser
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_statements = msgspec.msgpack.Decoder(Statement)


def encode(command: Command) -> bytes:
    """As the log holds it."""
    return _encoder.encode(command)


def decode(payload: bytes) -> Command:
    """Undo `encode`; raises CommandError."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"no command of a catalog: {error}") from None


def encode_statement(statement: Statement) -> bytes:
    """As a task carries it."""
    return _encoder.encode(statement)


def decode_statement(payload: bytes) -> Statement:
    """Undo `encode_statement`; raises CommandError."""
    try:
        return _statements.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"no statement of a task: {error}") from None
