"""Ways to keep tables that break a promise: documents taken by the letter, and near misses.

Each is the recommended way (`Options()`) but for what its name says, with the least bound that
shows it. docs/findings.md tells them one by one. `source` names the sentence: S4 is the product's
tutorial of HA stream tables, D, W and V are rules of semantics §4 and §6, H of model-notes §4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .actor import Model, Network
from .storage_group import storage
from .storage_rules import (
    Definitions,
    Identity,
    Marking,
    Options,
    Publish,
    Redo,
    Schemas,
    Truncate,
    Write,
)


@dataclass(frozen=True)
class StorageMutant:
    """Switches turned, and the promise that breaks."""

    name: str
    mistake: str
    source: str
    options: Options
    breaks: str

    def model(
        self, bounds: Mapping[str, Any] | None = None, network: Network | None = None
    ) -> Model:
        """The member with the mistake in it; `bounds` go before its own. It has no network."""
        assert network is None
        return storage(replace(self.options, **(bounds or {})))


STORAGE_MUTANTS: dict[str, StorageMutant] = {
    mutant.name: mutant
    for mutant in (
        StorageMutant(
            "redo-equal-lsn",
            "A record whose LSN equals the data file's is redone, behind what the file holds.",
            "S4 §4, D4, V4",
            Options(
                records=1, overrules=0, checkpoints=0, marking=Marking.ATOMIC, redo=Redo.BELOW,
                start_row=False,
            ),
            "logged-rows-once",
        ),
        StorageMutant(
            "redo-between-rows-and-lsn",
            "The LSN follows the rows, and a redo appends what is there already.",
            "S4 §4, D3, V4",
            Options(records=1, overrules=0, checkpoints=0, start_row=False, rollback=False),
            "logged-rows-once",
        ),
        StorageMutant(
            "lsn-before-rows",
            "The LSN is written after the rows, and nothing makes the disk keep that order.",
            "S4 §4, D3",
            Options(records=1, overrules=0, checkpoints=0, marking=Marking.LOOSE),
            "marks-are-true",
        ),
        StorageMutant(
            "lsn-without-term",
            "A record is taken for redone because the file's LSN is not below its own.",
            "S4 §4, H2",
            Options(records=1, checkpoints=0, marking=Marking.ATOMIC, identity=Identity.LSN),
            "logged-rows-once",
        ),
        StorageMutant(
            "lsn-in-order-of-terms",
            "A record is taken for redone because the file's (term, LSN) is not below its own.",
            "H2, Figure 8",
            Options(
                records=2, overrules=2, checkpoints=0, identity=Identity.ORDER,
                marking=Marking.ATOMIC,
            ),
            "logged-rows-once",
        ),
        StorageMutant(
            "no-rollback",
            "Rows written before commit stay when their record is overruled.",
            "S4 §4, W5, V2",
            Options(tables=2, checkpoints=0, marking=Marking.ATOMIC, rollback=False),
            "overruled-rows-gone",
        ),
        StorageMutant(
            "lsn-lowered-late",
            "A rollback cuts rows off while the old LSN may still be what is on the disk.",
            "V2, V4",
            Options(records=1, checkpoints=0, lower_first=False),
            "marks-are-true",
        ),
        StorageMutant(
            "data-before-log",
            "Rows are written on receipt, not behind the synced log, and a restart trusts them.",
            "S4 §4, V3",
            Options(records=1, checkpoints=0, write=Write.RECEIVED, rollback=False),
            "marks-are-true",
        ),
        StorageMutant(
            "publish-before-commit",
            "Subscribers receive what is in the data file.",
            "S4 §4, V2, H3",
            Options(records=1, crashes=0, checkpoints=0, publish=Publish.WRITTEN),
            "published-rows-stay",
        ),
        StorageMutant(
            "checkpoint-before-sync",
            "The log is truncated although the data files are not synced.",
            "S4 §2.1, §4, V5",
            Options(records=1, overrules=0, truncate=Truncate.WRITTEN),
            "truncated-is-durable",
        ),
        StorageMutant(
            "schema-in-log-only",
            "Schemas are in the create records, which a checkpoint truncates.",
            "S4 §2.4, §4, D7",
            Options(records=1, overrules=0, ddl=1, schemas=Schemas.LOG),
            "tables-as-committed",
        ),
        StorageMutant(
            "drop-before-commit",
            "A drop takes effect like a row, before it is committed.",
            "W5, V2",
            Options(
                records=3, ddl=2, checkpoints=0, crashes=0, marking=Marking.ATOMIC,
                definitions=Definitions.EARLY,
            ),
            "marks-are-true",
        ),
        StorageMutant(
            "drop-before-own-log",
            "A committed drop deletes the file before the own log has the drop on disk.",
            "V3",
            Options(
                records=3, overrules=0, ddl=2, marking=Marking.ATOMIC,
                definitions=Definitions.COMMITTED,
            ),
            "logged-rows-once",
        ),
    )
}  # fmt: skip
