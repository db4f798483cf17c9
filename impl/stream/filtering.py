"""What a publisher leaves out: rows whose value in the filter column nobody asked for (B17).

A table's filter column is in the log and in checkpoints, as its schema is: it survives restarts and
changes of leader, and once set it stays. Offsets are those of all rows, so that a filtered
subscriber's have gaps that are no losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ..client.errors import BAD_REQUEST, RequestError

Values = tuple[bool | int | float | str, ...]
"""What a subscriber wants to see in the column."""

VALUES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows one subscriber gets."""

    schema: pa.Schema
    column: int
    values: pa.Array

    def among(self, bodies: Sequence[bytes]) -> tuple[bytes, ...]:
        """Of batches those rows, in order; no batch without rows."""
        left = [self._rows(body) for body in bodies]
        return tuple([batch.serialize().to_pybytes() for batch in left if batch.num_rows])

    def _rows(self, body: bytes) -> pa.RecordBatch:
        batch = pa.ipc.read_record_batch(pa.py_buffer(body), self.schema)
        return batch.filter(pc.is_in(batch.column(self.column), value_set=self.values))


def wanted(schema: pa.Schema, column: str, values: Values) -> Wanted:
    """The rows with one of these values there; raises RequestError."""
    if not column:
        raise _refusal("the table has no filter column; call setStreamTableFilterColumn")
    if len(values) > VALUES_MAX:
        raise _refusal(f"a filter has at most {VALUES_MAX} values, not {len(values)}")
    at = schema.get_field_index(column)
    try:
        found = pa.array(values, type=schema.field(at).type)
        if pa.types.is_floating(found.type) and 0.0 in values:
            # A hash tells the two zeros apart, which are equal.
            found = pa.concat_arrays([found, pa.array([0.0, -0.0], found.type)])
        pc.is_in(found[:0], value_set=found)  # Arrow compares not every type.
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise _refusal(f"no values of column {column}: {error}") from None
    return Wanted(schema, at, found)


def check_filter_column(schema: pa.Schema, before: str, column: str) -> None:
    """Whether it may be the table's, which has `before` now; raises RequestError."""
    if schema.get_field_index(column) < 0:
        raise _refusal(f"there is no column {column}")
    if before not in ("", column):
        raise _refusal(f"the filter column is {before}, and stays so")


def _refusal(message: str) -> RequestError:
    return RequestError(BAD_REQUEST, True, message)
