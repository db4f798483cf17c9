"""Which chunks there are and where: each on the data node that had the fewest."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .catalog_state import CatalogState, Database, Placed, Table


class Placement:
    """A part of the catalog.

    # Invariant: `living` are the chunks of all tables; `dropped` are none of these.
    """

    def __init__(self, state: CatalogState) -> None:
        self._next = state.next_chunk
        self.dropped = state.dropped
        """Chunks that a data node has still to delete, by its alias."""
        placed = list(_chunks(state.databases.values()))
        self.living = {chunk.id for chunk in placed}
        self._counts = Counter(chunk.node for chunk in placed)

    def chunks_for(
        self, table: Table, keys: Iterable[str], nodes: Sequence[str]
    ) -> Mapping[str, Placed]:
        """The chunks of these partitions; those that are missing are made."""
        found = {}
        for key in keys:
            chunk = table.chunks.get(key)
            if chunk is None:
                # The first of the least: ties go by the order of the configuration.
                node = min(nodes, key=lambda alias: self._counts[alias])
                chunk = table.chunks[key] = Placed(self._next, node)
                self._next += 1
                self._counts[node] += 1
                self.living.add(chunk.id)
            found[key] = chunk
        return found

    def drop(self, chunks: Iterable[Placed]) -> None:
        """They are in no table any more."""
        for chunk in chunks:
            self.living.remove(chunk.id)
            self._counts[chunk.node] -= 1
            self.dropped.setdefault(chunk.node, []).append(chunk.id)

    def swept(self, node: str, chunks: Iterable[int]) -> None:
        """A data node has deleted these."""
        gone = set(chunks)
        left = [chunk for chunk in self.dropped.pop(node, []) if chunk not in gone]
        if left:
            self.dropped[node] = left

    def save(self, state: CatalogState) -> None:
        """Put it into a checkpoint."""
        state.next_chunk, state.dropped = self._next, self.dropped


def _chunks(databases: Iterable[Database]) -> Iterable[Placed]:
    for database in databases:
        for table in database.tables.values():
            yield from table.chunks.values()
