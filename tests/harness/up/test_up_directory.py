"""A cluster's directory: written, read, and refused with file and line."""

import socket
from pathlib import Path

import pytest
from delphic.harness.errors import ScenarioError, UsageError, WorldError
from delphic.harness.up.directory import (
    Replication,
    a_controller,
    create,
    of_this_host,
    understood,
)
from delphic.harness.up.follow import Follower
from delphic.impl.options import CONTROLLER_OPTIONS, OPTIONS
from delphic.impl.site import Site


def test_a_new_directory_is_one_that_nodes_understand(tmp_path: Path) -> None:
    create(tmp_path / "c", 4, "2:n1:n2:n3,3:n2:n3:n4")
    cluster = understood(tmp_path / "c")
    assert [site.alias for site in cluster.sites] == ["n1", "n2", "n3", "n4"]
    assert cluster.groups == {2: ("n1", "n2", "n3"), 3: ("n2", "n3", "n4")}
    assert len({site.port for site in cluster.sites}) == 4
    assert of_this_host(cluster.sites) == list(cluster.sites)
    assert cluster.nodes["n2"].persistence_dir == str(tmp_path / "c/n2/data")


def test_without_groups_all_nodes_are_group_2(tmp_path: Path) -> None:
    create(tmp_path, 3, None)
    assert understood(tmp_path).groups == {2: ("n1", "n2", "n3")}


def test_with_controllers_there_is_their_group_too(tmp_path: Path) -> None:
    create(tmp_path, 3, None, controllers=3)
    cluster = understood(tmp_path)
    assert cluster.groups == {1: ("c1", "c2", "c3"), 2: ("n1", "n2", "n3")}
    assert [node.is_controller for node in cluster.nodes.values()] == [True] * 3 + [False] * 3


def test_a_slave_is_told_of_a_controller_of_its_master(tmp_path: Path) -> None:
    master, slave = tmp_path / "m", tmp_path / "s"
    create(master, 3, None, 3, Replication("master", "clusterReplicationSlaveNum=2"))
    site = a_controller(master)
    told = Replication("slave", f"clusterReplicationMasterCtl={site.host}:{site.port}")
    create(slave, 3, None, 1, told)
    assert site in understood(master).sites
    for path, mode, most, at in (
        (master, "master", 2, None),
        (slave, "slave", None, (site.host, site.port)),
    ):
        for node in understood(path).nodes.values():
            told_it = node.replication
            assert (told_it.mode, told_it.slave_count_max, told_it.master_site) == (mode, most, at)


def test_a_cluster_without_controllers_has_no_slaves(tmp_path: Path) -> None:
    create(tmp_path, 3, None)
    with pytest.raises(UsageError, match="no controllers, and so no databases"):
        a_controller(tmp_path)


def test_an_option_goes_where_it_belongs(tmp_path: Path) -> None:
    more = ["maxFrameSize=8388608", "clusterReplicationRetryDelay=100", "n1.dataFileSize=4096"]
    create(tmp_path, 3, None, 1, Replication("master", "clusterReplicationSlaveNum=1"), more)
    nodes, controllers = (
        (tmp_path / "config" / name).read_text() for name in ("cluster.cfg", "controller.cfg")
    )
    assert [line in nodes.splitlines() for line in more] == [True, False, True]
    assert [line in controllers.splitlines() for line in more] == [True, True, False]


VALUES = {
    "maxFrameSize": "8388608",
    "raftElectionTick": "80",
    "raftRequestEntries": "1",
    "authentication": "on",
    "initialAdminPassword": "abc12345",
    "traceFile": "trace.jsonl",
}


@pytest.mark.parametrize("controllers", [0, 1])
@pytest.mark.parametrize("name", sorted(VALUES))
def test_an_option_of_both_files_can_be_set(tmp_path: Path, name: str, controllers: int) -> None:
    create(tmp_path, 3, None, controllers, more=[f"{name}={VALUES[name]}"])
    nodes = understood(tmp_path).nodes.values()
    assert {node.wants_login for node in nodes} == {
        name in ("authentication", "initialAdminPassword")
    }
    if name == "raftElectionTick":
        assert {node.election_tick_s for node in nodes} == {0.8}


def test_what_both_files_have_is_tried_or_needs_files_or_permission() -> None:
    others = {"tlsCertificate", "tlsKey", "tlsAuthority", "seededBugs"}
    assert VALUES.keys() | others == OPTIONS.keys() & CONTROLLER_OPTIONS.keys()


def test_one_nodes_option_goes_to_the_file_of_that_node(tmp_path: Path) -> None:
    create(tmp_path, 3, None, 1, more=["n1.raftElectionTick=80", "c1.raftElectionTick=90"])
    ticks = {alias: node.election_tick_s for alias, node in understood(tmp_path).nodes.items()}
    assert ticks == {"c1": 0.9, "n1": 0.8, "n2": 0.5, "n3": 0.5}


@pytest.mark.parametrize("controllers", [0, 1])
def test_what_a_new_cluster_says_of_users_is_so(tmp_path: Path, controllers: int) -> None:
    create(tmp_path, 3, None, controllers)
    for name in ("cluster.cfg", "controller.cfg"):
        file = tmp_path / "config" / name
        text = file.read_text().replace("authentication=off\n", "")
        file.write_text(text.replace("# initialAdminPassword=…", "initialAdminPassword=abc12345"))
    nodes = understood(tmp_path).nodes.values()
    passwords = {node.first_password for node in nodes if node.is_controller == bool(controllers)}
    assert passwords == {"abc12345"}
    assert all(node.wants_login for node in nodes)


@pytest.mark.parametrize(("more", "groups"), [(["maxFrameSise=1"], None), ([], "1:n1:n2:n3")])
def test_what_is_refused_is_not_left_in_the_way(
    tmp_path: Path, more: list[str], groups: str | None
) -> None:
    with pytest.raises(UsageError, match="nothing is written"):
        create(tmp_path / "c", 3, groups, more=more)
    assert not (tmp_path / "c").exists()
    create(tmp_path / "c", 3, None)


def test_a_directory_is_never_written_over(tmp_path: Path) -> None:
    create(tmp_path, 3, None)
    before = (tmp_path / "config/cluster.nodes").read_text()
    with pytest.raises(UsageError, match="is there already"):
        create(tmp_path, 5, None)
    assert (tmp_path / "config/cluster.nodes").read_text() == before


def test_a_mistake_in_the_configuration_has_its_file_and_line(tmp_path: Path) -> None:
    create(tmp_path, 3, None)
    file = tmp_path / "config/cluster.cfg"
    file.write_text(file.read_text().replace("Groups=2:", "Groups=1:"))
    with pytest.raises(ScenarioError) as error:
        understood(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/config/cluster.cfg:3: streamingRaftGroups: ")


def test_no_node_is_called_as_the_folder_of_the_configuration(tmp_path: Path) -> None:
    create(tmp_path, 3, None)
    file = tmp_path / "config/cluster.nodes"
    file.write_text(file.read_text().replace(":n2,", ":config ,"))
    options = tmp_path / "config/cluster.cfg"
    options.write_text(options.read_text().replace(":n2:", ":config:"))
    with pytest.raises(ScenarioError, match=r"cluster\.nodes:3: no node can be called config"):
        understood(tmp_path)


def test_a_directory_without_configuration_is_refused_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"delphic up --new '{tmp_path}/not here'"):
        understood(tmp_path / "not here")


def test_a_port_that_is_taken_is_the_worlds_failure() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(WorldError, match=f"n1: cannot listen at 127.0.0.1:{port}: Address"):
            of_this_host([Site("127.0.0.1", port, "n1")])


def test_nodes_of_other_hosts_are_left_to_them() -> None:
    # TEST-NET-1: no host has this address.
    assert of_this_host([Site("192.0.2.1", 4001, "far")]) == []


def test_a_node_finds_the_clusters_one_configuration_in_its_folder(tmp_path: Path) -> None:
    create(tmp_path, 3, None)
    cluster = understood(tmp_path)
    cluster.prepare("n1")
    cluster.prepare("n1")
    (tmp_path / "config/cluster.cfg").write_text("# changed\n")
    assert (tmp_path / "n1/config/cluster.cfg").read_text() == "# changed\n"


def test_whole_lines_that_logs_gain_are_news_once(tmp_path: Path) -> None:
    log = tmp_path / "node.log"
    log.write_text("old\n")
    follower = Follower({"n1": log, "n2": tmp_path / "none"})
    assert list(follower.news()) == []
    with log.open("a") as stream:
        stream.write("one\ntw")
    assert list(follower.news()) == ["one"]
    with log.open("a") as stream:
        stream.write("o\n")
    assert list(follower.news()) == ["two"]
    assert list(follower.news()) == []
