"""The same entries make the same catalog, whatever a controller's own files say (U8)."""

from collections.abc import Sequence

from delphic.impl.cluster.catalog import Catalog
from delphic.impl.cluster.commands import Replicate
from delphic.impl.config import CLUSTER_FILE, CONTROLLER_FILE, NODES_FILE, load
from delphic.impl.replication.events import (
    Failed,
    MasterEntry,
    Pulled,
    Skipped,
    SlaveEntry,
    Started,
)
from delphic.impl.replication.seats import encode_entry, seat
from queue_makers import pulled, queued, task

MASTER_CTL = "clusterReplicationMasterCtl=h:9\n"


def applied(controller: str, entries: Sequence[MasterEntry | SlaveEntry]) -> bytes:
    """The catalog that a controller with this file makes of them."""
    files = {
        NODES_FILE: "localSite,mode\nh:1:c1,controller\nh:2:n1,datanode\n",
        CLUSTER_FILE: "",
        CONTROLLER_FILE: controller,
    }
    config = load("/c1", "c1", lambda path: files[path].encode())
    catalog = Catalog(seat=seat(config.replication, b""))
    for entry in entries:
        catalog.apply(Replicate(encode_entry(entry)))
    return catalog.dump()


def test_a_log_is_replayed_alike_whatever_failure_limit_a_file_says_by_then() -> None:
    failures = [Failed(1, "d1", "disk full", at, 30) for at in range(30)]
    entries = [queued(task(1)), *failures, Skipped((1,), 31), Started()]
    dumps = {
        applied(f"{MASTER_CTL}clusterReplicationFailureLimit={limit}\n", entries)
        for limit in (10, 30, 100)
    }
    assert len(dumps) == 1


def test_a_log_is_replayed_alike_however_many_slaves_a_file_allows_by_then() -> None:
    entries: list[Pulled] = [pulled("s", 0, 0), pulled("t", 0, 0)]
    dumps = {applied(f"clusterReplicationSlaveNum={count}\n", entries) for count in (1, 2)}
    assert len(dumps) == 1
