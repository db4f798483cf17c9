"""A cluster is one side of a replication or none; what contradicts itself is refused."""

from typing import Any

import pytest
from delphic.impl.config import CLUSTER_FILE, CONTROLLER_FILE, NODES_FILE, ConfigError, load
from delphic.impl.replication.sides import side_of
from delphic.impl.service.call import Call, Functions
from delphic.impl.service.replication import (
    ON_CONTROLLERS,
    ON_DATA_NODES,
    ControllerReplication,
    DataNodeReplication,
)
from hand_clock import HandClock

NUMBER, SITE = "clusterReplicationSlaveNum=1\n", "clusterReplicationMasterCtl=h:9\n"
MODE = "clusterReplicationMode="


def side(controller: str, cluster: str) -> str | None:
    files = {
        NODES_FILE: "localSite,mode\nh:1:c1,controller\nh:2:n1,datanode\n",
        CLUSTER_FILE: cluster,
        CONTROLLER_FILE: controller,
    }
    return side_of(load("/n1", "n1", lambda path: files[path].encode()))


def test_both_files_say_which_side_a_cluster_is_on() -> None:
    assert side(NUMBER, f"{MODE}master\n") == "master"
    assert side(SITE, f"{MODE}slave\n") == "slave"
    assert side("", "") is None


@pytest.mark.parametrize(
    ("controller", "cluster", "message"),
    [
        (NUMBER + SITE, f"{MODE}master\n", "want one of them"),
        (NUMBER, "", "the cluster is a master of a replication, and cluster.cfg says nothing"),
        (SITE, f"{MODE}master\n", "is a slave of a replication, and cluster.cfg says .*=master"),
        ("", f"{MODE}slave\n", "is no side of a replication, and cluster.cfg says .*=slave"),
    ],
)
def test_files_that_contradict_each_other_are_refused(
    controller: str, cluster: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        side(controller, cluster)
    assert refused.value.file == CONTROLLER_FILE


@pytest.mark.parametrize("name", [*ON_CONTROLLERS, *ON_DATA_NODES])
def test_where_nothing_is_configured_every_function_says_so(name: str) -> None:
    nothing: Any = None
    controller = ControllerReplication(HandClock(), nothing, None, None)
    for part in (controller, DataNodeReplication(None, None)):
        told: list[Any] = []
        Functions(part.functions()).call(name, (), Call(told.append, peer="n1"))
        (refused,) = told
        assert refused.message == (
            "Replication is not enabled. Specify the configuration parameters first."
        )
        assert refused.definite
