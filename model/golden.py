"""What exploring each model counts, bound by bound, written down: a change is worth a look.

python -m delphic.model.golden             work every row out anew and write golden.json
python -m delphic.model.golden --check     compare instead, exit code 1 on a difference
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from .actor import Bag, Fifo, Model, Network, Soup
from .explore.explorer import explore
from .explore.limits import GOOD_STATES, Limits
from .explore.result import Result
from .models import MODELS, Bound
from .subscription_rules import Offset

FILE = Path(__file__).with_name("golden.json")


@dataclass(frozen=True)
class Case:
    """A model in a bound; bounds that are not named are the model's defaults.

    `large`: no matter of seconds; its good phases are not searched.
    """

    model: str
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    network: Network = field(default_factory=Soup)
    large: bool = False

    def build(self) -> Model:
        """The model itself."""
        entry = MODELS[self.model]
        network = self.network if entry.has_network else None
        return entry.build({**entry.bounds, **self.bounds}, network)

    @property
    def name(self) -> str:
        """The words of the command that explores it."""
        words = [self.model, *(f"{key}={str(value).lower()}" for key, value in self.bounds.items())]
        if not isinstance(self.network, Soup):
            words.append(f"{type(self.network).__name__.lower()}:{self.network.size}")
        return " ".join(words)


def _raft(network: Network | None = None, *, large: bool = False, **bounds: int) -> Case:
    return Case("raft", bounds, network or Soup(), large)


_CALM = {"stops": 0, "starts": 0, "skips": 0}


def _replication(network: Network | None = None, *, large: bool = False, **bounds: int) -> Case:
    """Without what administrators do by default."""
    return Case("replication", {**_CALM, **bounds}, network or Soup(), large)


CASES = (
    _raft(),
    _raft(entries=0),
    _raft(entries=0, crashes=1),
    _raft(entries=0, checkpoints=1),
    _raft(entries=0, quorum=True),
    _raft(entries=0, reads=1),
    _raft(entries=0, heartbeats=True),
    _raft(entries=0, sync=True),
    _raft(entries=0, sync=True, checkpoints=1, crashes=1),
    _raft(members=2, terms=3, entries=2, batch=2, crashes=1),
    _raft(members=2, terms=3, entries=0, prevote=True),
    _raft(members=4, entries=0),
    _raft(Bag(2), entries=0),
    _raft(Bag(3), entries=0),
    _raft(Bag(3), members=2, terms=3, sync=True, crashes=1),
    _raft(Fifo(1), entries=0),
    _raft(Fifo(2), entries=0),
    _raft(Fifo(2), members=2, terms=3, crashes=1, reads=1),
    Case("storage"),
    Case("storage", {"records": 1, "crashes": 2}),
    Case("storage", {"records": 1, "overrules": 2}),
    Case("storage", {"batch": 2, "overrules": 0}),
    Case("storage", {"ddl": 1, "tables": 2}),
    Case("storage-built"),
    Case("storage-built", {"records": 1, "overrules": 2, "crashes": 2}),
    Case("storage-built", {"ddl": 1}),
    Case("subscription"),
    Case("subscription", {"offset": Offset.LATEST, "rows": 1}),
    Case("subscription", {"terms": 3, "rows": 1, "crashes": 0}),
    Case("subscription", {"terms": 1, "rows": 3, "batch": 2}),
    Case("subscription", {"terms": 1, "failures": 1}),
    Case("subscription", {"rows": 1, "purges": 1}),
    Case("subscription", {"rows": 1, "unsubscribes": 1}),
    Case("subscription", {"rows": 1, "crashes": 0, "kills": 1}),
    Case("subscription", {"rows": 1, "crashes": 0, "drops": 1}),
    Case("subscription", {"rows": 1, "crashes": 0, "connections": 1, "subscribers": 2}),
    Case("subscription", {"rows": 1}, Bag(2)),
    Case("subscription", {"rows": 1}, Fifo(1)),
    _replication(
        writes=1, stops=1, starts=1, skips=1, failovers=1, poisons=1, sync=False, crashes=1
    ),
    _replication(writes=1, definitions=1, chunks=2, attempts=1, limit=1, orders=2),
    _replication(writes=1, created=False, flags=2, attempts=1, limit=1),
    _replication(writes=1, created=False, flags=1, definitions=1, attempts=1, limit=1),
    _replication(writes=1, databases=2, attempts=1, limit=1, flags=1, definitions=1),
    _replication(writes=1, slaves=2),
    _replication(writes=1, controllers=2, elections=1, strangers=True, clients=1, stops=1),
    _replication(chunks=2, nodes=2, attempts=1, limit=1, fills=1),
    _replication(writes=1, deletes=1, skips=1),
    _replication(Bag(1), chunks=2),
    _replication(Fifo(1), writes=1, stops=1, starts=1),
    Case("keyed", {"checkpoints": 0}),
    Case("keyed", {"batches": 3, "restarts": 0, "checkpoints": 0}),
    Case("keyed", {"window": 0, "batch": 2, "batches": 1}),
    Case("keyed", {"producers": 2, "batches": 1, "restarts": 0, "checkpoints": 0}),
    _raft(large=True, crashes=1),
    _raft(large=True, entries=2),
    _raft(large=True, entries=0, sync=True, quorum=True),
    _raft(Bag(4), large=True, entries=1),
    Case("storage", {"records": 3, "batch": 2, "crashes": 2}, large=True),
    Case("keyed", large=True),
    Case("subscription", {"connections": 3}, large=True),
    Case("subscription", {"terms": 3}, large=True),
    Case("subscription", {"purges": 1, "kills": 1}, large=True),
    Case("replication", large=True),
    _replication(large=True, slaves=2, stops=1, starts=1, attempts=1, limit=1),
    _replication(large=True, writes=3, chunks=2, attempts=1, limit=1, skips=1),
    _replication(Bag(1), large=True, writes=1, limit=30, attempts=30, poisons=1),
)


def counted(case: Case, workers: int = 1) -> dict[str, Any]:
    """One row: what is there without symmetry, how many orbits with it, and the verdict."""
    model = case.build()
    limits = Limits(good_states=0 if case.large else GOOD_STATES)
    plain = explore(model, workers=workers, limits=limits)
    row = {
        "states": plain.states,
        "transitions": plain.transitions,
        "depth": plain.depth,
        "orbits": None,
        "verdict": verdict(plain),
    }
    if model.symmetric:
        orbits = explore(model, symmetry=True, workers=workers, limits=limits)
        assert (orbits.depth, verdict(orbits)) == (plain.depth, verdict(plain))
        row["orbits"] = orbits.states
    return row


def verdict(result: Result) -> str:
    """In a word, or with the promise that fails."""
    if result.violation is not None:
        return f"broken: {result.violation.property}"
    if result.stuck is not None:
        return f"stuck: {result.stuck.property}"
    missing = (*result.unreached, *result.never_fired)
    return f"never: {', '.join(missing)}" if missing else "holds"


def recorded() -> dict[str, dict[str, Any]]:
    """What the file says, by the name of the case."""
    rows: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return rows


def differences(name: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[str]:
    """What changed in a row, for a person."""
    for key in now:
        if now[key] != then.get(key):
            yield f"{name}: {key} {now[key]!r}, recorded {then.get(key)!r}"


@click.command()
@click.option("--check", is_flag=True, help="Compare with the file; do not write it.")
@click.option("--workers", type=click.IntRange(1, 64), default=os.cpu_count() or 1)
def main(check: bool, workers: int) -> None:
    """Count every case; write golden.json, or compare with it."""
    then = recorded() if check else {}
    rows: dict[str, dict[str, Any]] = {}
    changed: list[str] = []
    for case in CASES:
        rows[case.name] = counted(case, workers)
        click.echo(f"{case.name}: {rows[case.name]['states']:,} states", err=True)
        changed += differences(case.name, rows[case.name], then.get(case.name, {})) if check else []
    if not check:
        FILE.write_text(as_text(rows))
    for line in changed:
        click.echo(line)
    sys.exit(1 if changed else 0)


def as_text(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """JSON with a line for each case, so that a diff reads well."""
    lines = (f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    main()
