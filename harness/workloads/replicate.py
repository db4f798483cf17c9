"""A master and its slaves: writers on the master, readers everywhere, and people who steer both."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..checkers import REPLICATION_CHECKERS
from ..language.sides import MASTER, sides
from ..language.units import Patience
from .log import Batch
from .replicate_roles import Known, Place, Role, operator, owner, reader, watcher, writer
from .replicate_settle import Settling
from .workload import Generator, Options, Settler, Step, Workload, no_steps

STAFF = 4
"""Clients that do not write rows: the owner of the databases, a watcher, an operator, a reader."""

KINDS = ("VALUE", "HASH", "RANGE")


_OF_TABLES = ("metadata", "truncates", "flags", "master_stops", "poison")
"""What the owner of the databases and the operator do once there are tables."""

_NO = (False, "none")


class ReplicateOptions(Options):
    """Rows, updates, upserts and deletes in several databases of the master.

    The first four clients own the databases, watch, steer the slaves, and read; the others write.
    """

    named: ClassVar[str] = "replicate"

    name: Literal["replicate"]
    clients: int = Field(default=8, ge=STAFF + 1, le=256)
    op_timeout: Patience = 2.0
    databases: int = Field(
        default=2, ge=1, le=16, description="Partitioned by VALUE, HASH and RANGE in turn."
    )
    tables: int = Field(default=1, ge=0, le=8, description="Of each database.")
    bulk: int = Field(
        default=0,
        ge=0,
        le=2_000_000,
        description="So many rows come at once into a table of their own, and are counted.",
    )
    partitions: int = Field(default=4, ge=1, le=64, description="Of each table.")
    batch: Batch = Field(default_factory=lambda: Batch(min=1, max=4))
    updates: float = Field(default=0.2, ge=0, le=1, description="Share of a writer's operations.")
    upserts: float = Field(default=0.1, ge=0, le=1, description="Share of a writer's operations.")
    deletes: float = Field(default=0.1, ge=0, le=1, description="Share of a writer's operations.")
    metadata: bool = Field(
        default=False,
        description="Partitions are dropped, tables are truncated, databases and tables dropped "
        "and made.",
    )
    truncates: float = Field(
        default=0,
        ge=0,
        le=1,
        description="Share of what the owner of the databases does once they are there: it "
        "truncates a table, and the next without a pause.",
    )
    flags: bool = Field(default=False, description="Databases are switched off and on.")
    master_stops: bool = Field(default=False, description="The master is stopped and started.")
    slave_stops: bool = Field(default=False, description="Slaves are stopped and started.")
    skips: bool = Field(
        default=False, description="What waits on a slave that is stopped is skipped, some of it."
    )
    poison: Literal["none", "cure", "skip"] = Field(
        default="none",
        description="The slaves' user loses its rights until a slave is STOPPED; then the cause is "
        "cured, or the failed task is skipped, too.",
    )

    @model_validator(mode="after")
    def _shares(self) -> "ReplicateOptions":
        if self.updates + self.upserts + self.deletes >= 1:
            raise ValueError("`updates`, `upserts` and `deletes` leave no share for new rows")
        if not (self.tables or self.bulk):
            raise ValueError("no `tables` and no `bulk` leave nothing to write")
        if self.skips and not self.slave_stops:
            raise ValueError("`skips` is about slaves that are stopped: it needs `slave_stops`")
        for name in _OF_TABLES:
            if (
                not self.tables
                and name in self.model_fields_set
                and self.planned()[name] not in _NO
            ):
                raise ValueError(f"`{name}` needs `tables`: the rows of `bulk` are left alone")
        return self

    def planned(self) -> dict[str, Any]:
        return {
            **super().planned(),
            "databases": self.databases,
            "tables": self.tables,
            "bulk": self.bulk,
            "partitions": self.partitions,
            "batch": [self.batch.min, self.batch.max],
            "updates": self.updates,
            "upserts": self.upserts,
            "deletes": self.deletes,
            "metadata": self.metadata,
            "truncates": self.truncates,
            "flags": self.flags,
            "master_stops": self.master_stops,
            "slave_stops": self.slave_stops,
            "skips": self.skips,
            "poison": self.poison,
        }


def places(options: dict[str, Any]) -> list[Place]:
    """The tables, each with its database and how that one is partitioned."""
    return [
        Place(f"dfs://db{number}", f"t{table}", KINDS[number % len(KINDS)], options["partitions"])
        for number in range(options["databases"])
        for table in range(options["tables"])
    ]


def bulk_of(options: dict[str, Any]) -> Place | None:
    """The table of many rows, in the first database."""
    return Place("dfs://db0", "bulk", KINDS[0], options["partitions"]) if options["bulk"] else None


def generators(options: dict[str, Any], seed: int, members: Sequence[str]) -> list[Generator]:
    """One generator a client, each with its own stream of chance."""
    found, known = sides(members), Known(places(options), bulk_of(options))

    def chance(number: int) -> random.Random:
        return random.Random(f"{seed}/client/{number}")

    staff: list[Generator] = [
        Role(owner(options, found, known, chance(0))),
        Role(watcher(options, found, known, chance(1))),
        Role(operator(options, found, known, chance(2))),
        Role(reader(found, known, chance(3))),
    ]
    count = options["clients"] - STAFF
    return staff + [
        Role(writer(options, found[MASTER], known, chance(STAFF + number), number, count))
        for number in range(count)
    ]


def proofs(_: dict[str, Any]) -> Iterator[Step]:
    """Nothing of this workload is scripted."""
    return iter(())


def no_final(_: dict[str, Any]) -> tuple[Step, ...]:
    """What is asked at the end comes from whoever settles the run."""
    return ()


def settling(options: dict[str, Any], seed: int, members: Sequence[str]) -> Settler:
    """Cures, starts and waits until everything has arrived, then reads everything everywhere."""
    known = Known(places(options), bulk_of(options))
    return Settling(known, sides(members), random.Random(f"{seed}/settling"))


REPLICATE = Workload(
    name="replicate",
    options=ReplicateOptions,
    checkers=REPLICATION_CHECKERS,
    key=None,
    setup=no_steps,
    generators=generators,
    proof="append",
    proofs=proofs,
    final=no_final,
    settle=settling,
    of_several=True,
)
