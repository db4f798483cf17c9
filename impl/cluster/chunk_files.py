"""Checkpoints of chunks: files that never change, and a manifest that says which of them count.

A part is a file with some rows of one chunk, in order, as an Arrow IPC stream. New rows go into a
new part, so that appending rewrites nothing; small parts are merged by size. The manifest has each
part's size and checksum; it is written aside, synced and renamed. Numbers of files are not used
twice, and what the manifest does not name is removed.
"""

import posixpath
import re
import zlib
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from ..raft.disk import Disk
from .changes import Blocks, rows_of

MANIFEST_FILE = "checkpoint"
CRC_BYTES = 4

_NAME = re.compile(r"(\d+)\.part")


class ChunkFileError(Exception):
    """A checkpoint that is not what was written: file and reason. The node must not start."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: corrupt: {reason}")


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A file, how many rows it has, and how it can be told that they are whole."""

    number: int
    rows: int
    size: int
    crc: int


class KeptChunk(msgspec.Struct, frozen=True, array_like=True):
    """A chunk after the transaction of that cid."""

    id: int
    cid: int
    schema: bytes
    parts: tuple[Part, ...]


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """All chunks after the record `applied` of the redo log; `last` file number in use."""

    applied: int = 0
    last: int = 0
    chunks: tuple[KeptChunk, ...] = ()


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part that is to be written."""

    number: int
    blocks: Blocks


class ChunkFiles:
    """The folder of one node's checkpoints. Failures are OSError."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk = disk
        self._folder = folder

    def open(self) -> Manifest:
        """The last checkpoint; raises OSError or ChunkFileError."""
        self._disk.make_folder(self._folder)
        path = posixpath.join(self._folder, MANIFEST_FILE)
        data = self._disk.read(path)
        if data is None:
            return Manifest()
        body = data[CRC_BYTES:]
        if zlib.crc32(body).to_bytes(CRC_BYTES, "little") != data[:CRC_BYTES]:
            raise ChunkFileError(path, "the checksum does not fit")
        try:
            return msgspec.msgpack.decode(body, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ChunkFileError(path, f"no checkpoint: {error}") from None

    def read(self, kept: KeptChunk, schema: pa.Schema) -> Blocks:
        """The rows of a chunk; raises OSError or ChunkFileError."""
        blocks: list[pa.RecordBatch] = []
        for part in kept.parts:
            path = self._path(part.number)
            data = self._disk.read(path)
            if data is None:
                raise ChunkFileError(path, "the file is missing")
            if len(data) != part.size or zlib.crc32(data) != part.crc:
                raise ChunkFileError(path, "size or checksum do not fit")
            with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
                found = [batch for batch in reader if batch.num_rows]
            if reader.schema != schema or rows_of(tuple(found)) != part.rows:
                raise ChunkFileError(path, "it has other columns or rows than were written")
            blocks += found
        return tuple(blocks)

    def write_part(self, new: NewPart, schema: pa.Schema) -> Part:
        """Make a part durable, but for its name; may run on another thread."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            for block in new.blocks:
                writer.write_batch(block)
        data = sink.getvalue()
        file = self._disk.open(self._path(new.number))
        try:
            # A power cut may bring back a file that was removed.
            file.truncate(0)
            file.append(memoryview(data))
            file.sync()
        finally:
            file.close()
        return Part(new.number, rows_of(new.blocks), data.size, zlib.crc32(data))

    def write_manifest(self, manifest: Manifest) -> None:
        """Make it the last checkpoint; may run on another thread."""
        body = msgspec.msgpack.encode(manifest)
        path = posixpath.join(self._folder, MANIFEST_FILE)
        self._disk.sync_folder(self._folder)
        file = self._disk.open(path + ".new")
        try:
            file.truncate(0)
            file.append(zlib.crc32(body).to_bytes(CRC_BYTES, "little") + body)
            file.sync()
        finally:
            file.close()
        self._disk.rename(path + ".new", path)
        self._disk.sync_folder(self._folder)

    def remove_others(self, manifest: Manifest) -> None:
        """Remove the parts that a durable manifest does not name; may run on another thread."""
        named = {part.number for chunk in manifest.chunks for part in chunk.parts}
        for name in self._disk.names(self._folder):
            match = _NAME.fullmatch(name)
            if match is not None and int(match[1]) not in named:
                self._disk.remove(posixpath.join(self._folder, name))

    def _path(self, number: int) -> str:
        return posixpath.join(self._folder, f"{number}.part")


def stays(parts: tuple[Part, ...], stored: int, rows: int) -> tuple[Part, ...]:
    """The parts that need not be written again: all of their rows are as they were.

    A last part that is no longer than what is new is merged with it, so that each row is written
    O(log n) times.
    """
    kept: list[Part] = []
    end = 0
    for part in parts:
        if end + part.rows > stored:
            break
        kept.append(part)
        end += part.rows
    while kept and kept[-1].rows <= rows - end:
        end -= kept.pop().rows
    return tuple(kept)


def behind(blocks: Blocks, start: int) -> Blocks:
    """The rows from `start` on."""
    found: list[pa.RecordBatch] = []
    for block in blocks:
        if start < block.num_rows:
            found.append(block.slice(start) if start else block)
        start = max(0, start - block.num_rows)
    return tuple(found)
