"""What chunks are after a crash: the last checkpoint, and what the redo log did since."""

from dataclasses import dataclass, field

from ..stream.schema import SchemaError, from_bytes
from .changes import apply
from .chunk import Chunk
from .chunk_files import ChunkFileError, ChunkFiles, Manifest
from .chunk_records import Aborted, Committed, Dropped, Prepared, RecordError, decode
from .redo import Logged


@dataclass(slots=True)
class Recovered:
    """All chunks, and what is prepared and not decided, by the index of its record."""

    chunks: dict[int, Chunk] = field(default_factory=dict)
    prepared: dict[int, tuple[int, Prepared, int]] = field(default_factory=dict)
    """By tid: index, record, and its bytes."""


def recover(manifest: Manifest, files: ChunkFiles, records: list[Logged]) -> Recovered:
    """Raises OSError, ChunkFileError, or RecordError."""
    found = Recovered()
    for kept in manifest.chunks:
        try:
            schema = from_bytes(kept.schema)
        except SchemaError as error:
            raise ChunkFileError(f"chunk {kept.id}", str(error)) from None
        chunk = Chunk(kept.id, kept.schema, schema)
        chunk.restore(kept.cid, files.read(kept, schema))
        found.chunks[kept.id] = chunk
    for record in records:
        _redo(found, record, is_applied=record.index <= manifest.applied)
    return found


def _redo(found: Recovered, logged: Logged, *, is_applied: bool) -> None:
    """Do once more what a record says, unless the checkpoint holds it."""
    match decode(logged.payload):
        case Prepared() as prepared:
            found.prepared[prepared.tid] = logged.index, prepared, len(logged.payload)
        case Aborted(tid=tid):
            found.prepared.pop(tid, None)
        case Committed(tid=tid, cid=cid):
            known = found.prepared.pop(tid, None)
            if is_applied:
                return
            if known is None:
                raise RecordError(f"record {logged.index} commits {tid}, which nothing prepares")
            for work in known[1].works:
                chunk = found.chunks.get(work.chunk)
                if chunk is None:
                    schema = bytes(work.schema)
                    chunk = Chunk(work.chunk, schema, from_bytes(schema))
                    found.chunks[work.chunk] = chunk
                chunk.install(cid, apply(work.change, chunk.schema, chunk.newest.blocks), 0)
        case Dropped(chunks=chunks):
            for chunk_id in chunks:
                if not is_applied:
                    found.chunks.pop(chunk_id, None)
                for tid, (index, prepared, size) in list(found.prepared.items()):
                    left = tuple(work for work in prepared.works if work.chunk != chunk_id)
                    found.prepared[tid] = index, Prepared(tid, prepared.coordinator, left), size
