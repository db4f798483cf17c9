"""Whatever the bounds, nothing is asked for that they make impossible, and all else happens."""

from typing import Any

import pytest
from delphic.model.explore.explorer import explore
from delphic.model.models import MODELS
from delphic.model.raft_built import built_group
from delphic.model.raft_types import Options

ONE = {"writes": 1, "attempts": 1, "limit": 1, "stops": 0, "starts": 0, "skips": 0}
BOUNDS: list[tuple[str, dict[str, Any]]] = [
    *(
        ("replication", {**ONE, **bounds})
        for bounds in (
            {"elections": 1},
            {"elections": 1, "controllers": 2},
            {"created": False},
            {"created": False, "definitions": 1},
            {"created": False, "flags": 1},
            {"created": False, "crashes": 1, "deletes": 1, "fills": 1, "skips": 1},
            {"writes": 0},
            {"writes": 0, "definitions": 1},
            {"writes": 0, "definitions": 1, "skips": 1, "fills": 1},
            {"writes": 0, "crashes": 1, "deletes": 1},
            {"limit": 2, "skips": 1},
        )
    ),
    *(
        ("keyed", {"checkpoints": 0, "timeouts": 0, **bounds})
        for bounds in ({}, {"changes": 0}, {"restarts": 0}, {"changes": 0, "restarts": 0})
    ),
    *(
        ("storage", {"records": records, "ddl": ddl, "checkpoints": 0, **bounds})
        for records in (1, 2)
        for ddl in (1, 2)
        for bounds in ({}, {"batch": 2}, {"overrules": 0, "crashes": 0})
    ),
    *(
        ("storage-built", {"records": 1, "ddl": 1, **bounds})
        for bounds in ({}, {"overrules": 0}, {"crashes": 0})
    ),
]


@pytest.mark.parametrize(
    ("name", "bounds"), BOUNDS, ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v))
)
def test_every_bound_holds_with_all_that_it_makes_possible(
    name: str, bounds: dict[str, Any]
) -> None:
    entry = MODELS[name]
    found = explore(entry.build({**entry.bounds, **bounds}, None))
    assert found.complete
    assert (found.violation, found.stuck) == (None, None)
    assert (found.unreached, found.never_fired) == ((), ())


def test_a_checkpoint_of_the_group_as_it_is_built_is_a_compaction() -> None:
    found = explore(built_group(Options(members=1, terms=3, entries=2, checkpoints=1)))
    assert found.holds, found.never_fired
    assert found.coverage["compact"]
