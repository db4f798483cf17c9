"""Configuration of a cluster with controllers: two files, and whose options are in which."""

import pytest
from delphic.impl.config import ConfigError
from test_config import CLUSTER, NODES, load_from

WHOLE = NODES + "127.0.0.1:9004:c1,controller\n127.0.0.1:9005:c2,controller\n"


def test_a_controller_takes_its_options_from_its_own_file_and_is_in_group_one() -> None:
    text = "raftElectionTick=20\nc1.dfsMetaDir=meta\nclusterReplicationSlaveNum=2\n"
    config = load_from(WHOLE, CLUSTER + "raftElectionTick=30\n", text, alias="c1")
    assert config.is_controller
    assert [(group.id, group.aliases) for group in config.groups] == [(1, ("c1", "c2"))]
    assert config.election_tick_s == 0.2
    assert config.meta_dir == "/home/x/meta"
    assert config.replication.slave_count_max == 2
    assert config.replication.master_site is None


def test_a_data_node_knows_the_controllers_and_what_their_file_says_for_all() -> None:
    text = "clusterReplicationMasterCtl=127.0.0.1:9100\nclusterReplicationRetryDelay=250\n"
    cluster = CLUSTER + "clusterReplicationMode=slave\nn1.volumes=/v\n"
    config = load_from(WHOLE, cluster, text)
    assert not config.is_controller
    assert [site.alias for site in config.controllers] == ["c1", "c2"]
    assert [site.alias for site in config.data_nodes] == ["n1", "n2", "n3"]
    assert [group.id for group in config.groups] == [2]
    assert config.volumes == "/v"
    found = config.replication
    assert (found.master_site, found.mode) == (("127.0.0.1", 9100), "slave")
    assert (found.retry_delay_s, found.pull_interval_s, found.failure_limit) == (0.25, 1.0, 30)
    assert (found.persist_delay_s, found.sync_persistence) == (5.0, False)
    assert (found.execution_user, found.execution_password) == ("admin", "123456")
    assert "123456" not in repr(config)


def test_whoever_adds_a_controller_is_another_cluster() -> None:
    assert load_from(WHOLE).cluster_id == load_from(WHOLE, alias="c2").cluster_id
    datanodes = WHOLE.replace("controller", "datanode")
    assert load_from(WHOLE).cluster_id != load_from(datanodes).cluster_id


@pytest.mark.parametrize(
    ("cluster", "controller", "message"),
    [
        (
            CLUSTER + "c1.traceFile=t\n",
            "",
            "config/cluster.cfg:4: no datanode is called c1; there are n1, n2, n3",
        ),
        (
            CLUSTER,
            "n1.dfsMetaDir=m\n",
            "config/controller.cfg:1: no controller is called n1; there are c1, c2",
        ),
        (
            CLUSTER,
            "\ndfsMetaDirs=m\n",
            "config/controller.cfg:2: unknown option 'dfsMetaDirs'; did you mean dfsMetaDir?",
        ),
        (
            CLUSTER,
            "clusterReplicationMasterCtl=nowhere\n",
            "config/controller.cfg:1: clusterReplicationMasterCtl: want host:port, got 'nowhere'",
        ),
        (
            CLUSTER,
            "c1.dfsMetaDir=/m\nc2.dfsMetaDir=/m\n",
            "config/controller.cfg:2: c1 and c2 on 127.0.0.1 share dfsMetaDir=/m; "
            "give each its own, as in c2.dfsMetaDir=PATH",
        ),
        (
            CLUSTER + "initialAdminPassword=123456\n",
            "",
            "config/cluster.cfg:4: initialAdminPassword: the controllers keep the users; "
            "see config/controller.cfg",
        ),
        (
            CLUSTER + "authentication=off\n",
            "",
            "config/controller.cfg: authentication is on here and off in config/cluster.cfg",
        ),
        (
            CLUSTER,
            "c2.maxFrameSize=8388608\n",
            "config/controller.cfg:1: maxFrameSize is 67108864 for c1 and 8388608 for c2; what one "
            "of the controllers sends, all must take",
        ),
        (
            "n3.maxFrameSize=8388608\n",
            "",
            "config/cluster.cfg:1: maxFrameSize is 67108864 for n1 and 8388608 for n3; what one of "
            "the data nodes sends, all must take",
        ),
        (
            CLUSTER + "n1.volumes=/home/x/data\n",
            "",
            "config/cluster.cfg:4: persistenceDir and volumes of n1 are one folder, "
            "/home/x/data; give each its own",
        ),
        (
            CLUSTER.replace("n3", "c1"),
            "",
            "config/cluster.cfg:2: group 2 names c1; there are n1, n2, n3",
        ),
    ],
)
def test_what_makes_no_sense_in_a_cluster_with_controllers_is_refused(
    cluster: str, controller: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_from(WHOLE, cluster, controller)
    assert str(caught.value) == message


def test_a_cluster_of_controllers_alone_is_none() -> None:
    with pytest.raises(ConfigError, match="names no data node"):
        load_from("localSite,mode\nh:1:c1,controller\n", "", "", alias="c1")
