"""Configuration files: what is understood, and what is refused by file and line."""

import pytest
from delphic.impl.config import ConfigError, NodeConfig, load

NODES = """localSite,mode
127.0.0.1:9001:n1,datanode
127.0.0.1:9002:n2,datanode
127.0.0.1:9003:n3,datanode
"""

CLUSTER = """streamingHAMode=raft
streamingRaftGroups=2:n1:n2:n3
persistenceDir=data
"""


def load_from(
    nodes: str | bytes | None = NODES,
    cluster: str | bytes | None = CLUSTER,
    controller: str | bytes | None = None,
    *,
    alias: str = "n1",
    allow_seeded_bugs: bool = False,
) -> NodeConfig:
    files = {
        "config/cluster.nodes": nodes,
        "config/cluster.cfg": cluster,
        "config/controller.cfg": controller,
    }

    def read(path: str) -> bytes | None:
        text = files[path]
        return text.encode() if isinstance(text, str) else text

    return load("/home/x", alias, read, allow_seeded_bugs=allow_seeded_bugs)


def test_a_plain_configuration_gives_sites_groups_and_documented_defaults() -> None:
    config = load_from()
    assert str(config.site) == "127.0.0.1:9001:n1"
    assert [(group.id, group.aliases) for group in config.groups] == [(2, ("n1", "n2", "n3"))]
    assert config.persistence_dir == "/home/x/data"
    assert config.streaming_ha_dir == "/home/x/log/streamLog"
    assert config.election_tick_s == 8.0
    assert config.frame_bytes_max == 64 << 20
    assert config.trace_file is None
    assert config.seeded_bugs == frozenset()


def test_an_option_with_an_alias_overrides_the_common_one_on_that_node_only() -> None:
    text = CLUSTER + "raftElectionTick=20\nn2.raftElectionTick = 30\nn2.traceFile=/t/n2.jsonl\n"
    assert load_from(cluster=text).election_tick_s == 0.2
    assert load_from(cluster=text, alias="n2").election_tick_s == 0.3
    assert load_from(cluster=text, alias="n2").trace_file == "/t/n2.jsonl"
    assert load_from(cluster=text).trace_file is None


def test_comments_blank_lines_carriage_returns_and_a_byte_order_mark_are_harmless() -> None:
    text = "\ufeff# ours\r\n\r\n" + CLUSTER.replace("\n", "\r\n")
    assert load_from(cluster=text).groups[0].id == 2


def test_a_host_may_hold_colons() -> None:
    nodes = NODES.replace("127.0.0.1:9001", "::1:9001")
    assert load_from(nodes=nodes).site.host == "::1"


def test_members_agree_on_the_cluster_id_and_another_group_gives_another_one() -> None:
    one, two = load_from(), load_from(alias="n2")
    other = load_from(cluster=CLUSTER.replace("2:n1", "3:n1"))
    assert one.cluster_id == two.cluster_id
    assert one.cluster_id != other.cluster_id


def test_an_empty_controller_file_is_as_good_as_none() -> None:
    assert load_from(controller="# nothing\n\n") == load_from()


def test_a_node_outside_all_groups_needs_no_persistence_directory() -> None:
    nodes = NODES + "127.0.0.1:9004:n4,datanode\n"
    config = load_from(nodes=nodes, cluster=CLUSTER.replace("persistence", "n1.persistence"))
    outside = load_from(
        nodes=nodes, cluster=CLUSTER.replace("persistence", "n1.persistence"), alias="n4"
    )
    assert config.groups
    assert outside.groups == ()


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (None, "config/cluster.nodes: no such file"),
        ("", "config/cluster.nodes:1: the first line must be 'localSite,mode'"),
        ("a:1:n1,datanode\n", "config/cluster.nodes:1: the first line must be 'localSite,mode'"),
        ("localSite,mode\n", "config/cluster.nodes: names no node"),
        (
            "localSite,mode\nh:1:n1,agent\n",
            "config/cluster.nodes:2: want host:port:alias,datanode or "
            "host:port:alias,controller, got 'h:1:n1,agent'",
        ),
        (
            "localSite,mode\nh:1,datanode\n",
            "config/cluster.nodes:2: want host:port:alias, got 'h:1'",
        ),
        (
            "localSite,mode\nh:70000:n1,datanode\n",
            "config/cluster.nodes:2: want a port from 1 to 65535, got '70000'",
        ),
        (
            "localSite,mode\nh:1:n.1,datanode\n",
            "config/cluster.nodes:2: an alias is a letter, then up to 63 letters, digits, _ "
            "or -; got 'n.1'",
        ),
        (
            "localSite,mode\n\nh:1:n1,datanode\nh:2:n1,datanode\n",
            "config/cluster.nodes:4: n1 is given twice",
        ),
        (
            "localSite,mode\nh:1:n1,datanode\nh:1:n2,datanode\n",
            "config/cluster.nodes:3: h:1 is already n1",
        ),
        (b"localSite,mode\n\xff\xfe\n", "config/cluster.nodes:2: not UTF-8 text"),
        (
            "localSite,mode\nh:1:n7,datanode\n",
            "config/cluster.nodes: no node is called n1; there are n7",
        ),
    ],
)
def test_a_bad_list_of_nodes_is_refused(nodes: str | bytes | None, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_from(nodes=nodes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("what", "config/cluster.cfg:4: want option=value, got 'what'"),
        (
            "raftElectionTik=3",
            "config/cluster.cfg:4: unknown option 'raftElectionTik'; "
            "did you mean raftElectionTick?",
        ),
        (
            "zzz=1",
            "config/cluster.cfg:4: unknown option 'zzz'; there are authentication, "
            "clusterReplicationExecutionPassword, clusterReplicationExecutionUsername, "
            "clusterReplicationMode, clusterReplicationSyncPersistence, clusterReplicationWorkDir, "
            "dataFileSize, initialAdminPassword, maxFrameSize, persistenceDir, raftElectionTick, "
            "raftRequestEntries, seededBugs, streamingHADir, streamingHAMode, "
            "streamingHAPurgeInterval, streamingHAPurgeSize, streamingRaftGroups, tlsAuthority, "
            "tlsCertificate, tlsKey, traceFile, usersFile, volumes",
        ),
        ("n9.traceFile=x", "config/cluster.cfg:4: no datanode is called n9; there are n1, n2, n3"),
        (
            "persistenceDir=other",
            "config/cluster.cfg:4: persistenceDir is already given on line 3",
        ),
        (
            "n1.streamingHAMode=raft",
            "config/cluster.cfg:4: streamingHAMode is one for all nodes; write it without 'n1.'",
        ),
        (
            "raftElectionTick=ten",
            "config/cluster.cfg:4: raftElectionTick: "
            "want a whole number of 10 ms from 2 to 60000, got 'ten'",
        ),
        (
            "n1.raftElectionTick=1",
            "config/cluster.cfg:4: n1.raftElectionTick: "
            "want a whole number of 10 ms from 2 to 60000, got '1'",
        ),
        ("traceFile=", "config/cluster.cfg:4: traceFile: want a path"),
        (
            "n1.streamingHADir=/d\nn2.streamingHADir=/d",
            "config/cluster.cfg:5: n1 and n2 on 127.0.0.1 share streamingHADir=/d; "
            "give each its own, as in n2.streamingHADir=PATH",
        ),
        (
            "n1.streamingHADir=./data",
            "config/cluster.cfg:4: persistenceDir and streamingHADir of n1 are one folder, "
            "/home/x/data; give each its own",
        ),
        (
            "maxFrameSize=8388608\nn2.maxFrameSize=4194304",
            "config/cluster.cfg:5: maxFrameSize is 8388608 for n1 and 4194304 for n2; what one of "
            "group 2 sends, all must take",
        ),
        (
            "n1.maxFrameSize=8388608",
            "config/cluster.cfg:4: maxFrameSize is 8388608 for n1 and 67108864 for n2; what one of "
            "group 2 sends, all must take",
        ),
        (
            "seededBugs=stale-read",
            "config/cluster.cfg:4: seededBugs breaks promises on purpose; only a test that starts "
            "nodes with --allow-seeded-bugs may use it",
        ),
    ],
)
def test_a_bad_line_of_the_cluster_file_is_refused(extra: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_from(cluster=CLUSTER + extra + "\n")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("1:n1:n2:n3", "a group id is at least 2, got 1"),
        ("2:n1:n2", "group 2 has 2 members, it needs at least 3"),
        ("2:n1:n2:n2", "group 2 names n2 twice"),
        ("two:n1:n2:n3", "want groupId:alias:alias:alias[,…], got 'two:n1:n2:n3'"),
        ("2:n1::n3", "want groupId:alias:alias:alias[,…], got '2:n1::n3'"),
        ("2:n1:n2:n3,2:n1:n2:n3", "group 2 is given twice"),
    ],
)
def test_an_invalid_group_is_refused(groups: str, message: str) -> None:
    """Promise HS-19."""
    with pytest.raises(ConfigError) as caught:
        load_from(cluster=f"streamingHAMode=raft\nstreamingRaftGroups={groups}\n")
    assert str(caught.value) == f"config/cluster.cfg:2: streamingRaftGroups: {message}"


def test_a_group_of_unknown_nodes_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load_from(cluster=CLUSTER.replace("n3", "n8"))
    assert str(caught.value) == "config/cluster.cfg:2: group 2 names n8; there are n1, n2, n3"


def test_what_a_group_needs_must_be_there() -> None:
    with pytest.raises(ConfigError, match="streamingRaftGroups needs streamingHAMode=raft"):
        load_from(cluster="streamingRaftGroups=2:n1:n2:n3\npersistenceDir=d\n")
    with pytest.raises(ConfigError, match="the only mode is 'raft', got 'paxos'"):
        load_from(cluster="streamingHAMode=paxos\n")
    with pytest.raises(ConfigError, match=r"write n1\.persistenceDir=PATH"):
        load_from(cluster="streamingHAMode=raft\nstreamingRaftGroups=2:n1:n2:n3\n")


def test_nodes_of_no_common_group_may_take_frames_of_different_lengths() -> None:
    nodes = NODES + "127.0.0.1:9004:n4,datanode\n"
    config = load_from(nodes=nodes, cluster=CLUSTER + "n4.maxFrameSize=8388608\n")
    assert config.frame_bytes_max == 64 << 20


def test_options_of_a_controller_are_refused_by_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load_from(controller="\nclusterReplicationSlaveNum=2\n")
    assert str(caught.value) == (
        "config/controller.cfg:2: unknown option 'clusterReplicationSlaveNum'; "
        "data nodes take none from this file"
    )


def test_seeded_bugs_need_the_flag_and_a_known_name() -> None:
    text = CLUSTER + "n1.seededBugs=stale-read,vote-twice\n"
    assert load_from(cluster=text, allow_seeded_bugs=True).seeded_bugs == {
        "stale-read",
        "vote-twice",
    }
    assert load_from(cluster=text, alias="n2", allow_seeded_bugs=True).seeded_bugs == set()
    with pytest.raises(ConfigError, match="no seeded bug 'slow'; there are aborted-read"):
        load_from(cluster=CLUSTER + "seededBugs=slow\n", allow_seeded_bugs=True)
