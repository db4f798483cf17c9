"""A reader is told which transactions are not complete, unless a seeded bug forgets it."""

from collections.abc import Callable
from typing import Any

import pytest
from catalogs import DB, begin, do, made, meta
from delphic.impl.cluster.catalog import Catalog
from delphic.impl.cluster.commands import Commit
from delphic.impl.config import CLUSTER_FILE, CONTROLLER_FILE, NODES_FILE, load
from delphic.impl.service.call import Call, Functions
from delphic.impl.service.catalog import CatalogFunctions
from hand_clock import HandClock


class Leader:
    """A catalog that answers at once."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def look(self, view: Callable[[Catalog], Any], answer: Callable[[Any], None]) -> None:
        answer(view(self.catalog))


@pytest.mark.parametrize("bug", ["", "incomplete-shown"])
def test_a_transaction_that_is_not_complete_is_left_out(bug: str) -> None:
    files = {
        NODES_FILE: "localSite,mode\nh:1:c1,controller\nh:2:n1,datanode\n",
        CLUSTER_FILE: "",
        CONTROLLER_FILE: f"seededBugs={bug}\n" if bug else "",
    }
    config = load("/c1", "c1", lambda path: files[path].encode(), allow_seeded_bugs=True)
    catalog = made()
    tid = do(catalog, begin("a", "b"))["tid"]
    cid = do(catalog, Commit(tid, meta(tid, f"{DB}/t/a")))
    nothing: Any = None
    functions: Any = CatalogFunctions(config, HandClock(), nothing)
    functions.group = Leader(catalog)
    told: list[Any] = []
    Functions(functions.functions()).call("snapshot", (None, DB, "t"), Call(told.append, peer="n1"))
    (found,) = told
    assert found["cid"] >= cid
    assert found["excluded"] == ([] if bug else [cid])
