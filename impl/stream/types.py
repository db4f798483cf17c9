"""The documents' names of column types, and the Arrow types that stand for them here."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

TYPES: Mapping[str, pa.DataType] = {
    "BOOL": pa.bool_(),
    "CHAR": pa.int8(),
    "SHORT": pa.int16(),
    "INT": pa.int32(),
    "LONG": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "STRING": pa.string(),
    "SYMBOL": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time32("ms"),
    "DATETIME": pa.timestamp("s"),
    "TIMESTAMP": pa.timestamp("ms"),
    "NANOTIME": pa.time64("ns"),
    "NANOTIMESTAMP": pa.timestamp("ns"),
}
"""SYMBOL is STRING here: how it is stored is no part of what it means."""


def name_of(kind: pa.DataType) -> str:
    """The documented name of an Arrow type, or Arrow's own where the documents have none."""
    return next((name for name, known in TYPES.items() if known == kind), str(kind))


def from_text(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Texts as values of a type; raises ArrowException. Arrow itself reads no times of day."""
    if not pa.types.is_time(kind):
        return texts.cast(kind)
    moments = pc.binary_join_element_wise("1970-01-01", texts, " ")
    return moments.cast(pa.timestamp(kind.unit)).cast(kind)
