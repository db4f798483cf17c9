"""The commands `up` and `shell` on real nodes: play, kill, go on, end with nothing left."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.agent import proc
from delphic.harness.agent.proc import Identity
from delphic.harness.running import leases
from delphic.harness.up import directory
from delphic.impl.client.connection import Connection

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SCRIPT = """\
haStreamTable(2, {id: LONG, price: DOUBLE}, "trades", 100000)
tableInsert("trades", [[1, 2.5], [2, 3.5]])
select("trades", 0, 10)
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of a test may be alive at its end."""
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    yield
    assert leases.heal() == ([], True)


class Up:
    """A running `delphic up --json`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.state: dict[str, Any] = json.loads(process.stdout.readline())
        self.sites = self.state["shell"].split()[-1]
        pids = [node["pid"] for node in self.state["nodes"]]
        self.nodes = [one for pid in pids if (one := proc.identity(pid)) is not None]
        assert len(self.nodes) == len(pids)

    def node(self, alias: str) -> Identity:
        (pid,) = (node["pid"] for node in self.state["nodes"] if node["alias"] == alias)
        return next(node for node in self.nodes if node.pid == pid)

    def hears(self, words: str) -> str:
        """What it says next with these words in it."""
        assert self.process.stderr is not None
        return next(line for line in self.process.stderr if words in line)

    def ends(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


@contextmanager
def up(*words: str) -> Iterator[Up]:
    process = subprocess.Popen(
        [sys.executable, "-m", "delphic", "up", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    with process:
        try:
            yield Up(process)
        finally:
            process.terminate()


def shell(sites: str, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "delphic", "shell", sites, *words],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_cluster_is_played_with_loses_its_leader_goes_on_and_ends(tmp_path: Path) -> None:
    """Promises HS-2, HS-22 and HS-26, by hand."""
    with up("--new", str(tmp_path / "c")) as cluster:
        leader = cluster.state["groups"][0]["leader"]
        first = shell(cluster.sites, text=SCRIPT)
        assert (first.returncode, first.stderr) == (0, "")
        assert first.stdout.splitlines() == [
            "done",
            "offset  rows",
            "0       2",
            "id  price",
            "1   2.5",
            "2   3.5",
        ]

        os.kill(cluster.node(leader).pid, signal.SIGKILL)
        assert cluster.hears("died").startswith(f"{leader} died (signal 9)")
        again = 'tableInsert("trades", [[3, 4.5]]); select("trades", 2); pnodeRun(nodeStatus)'
        second = shell(cluster.sites, "--json", "-c", again)
        assert second.returncode == 0, second.stdout + second.stderr
        inserted, selected, everywhere = (json.loads(x) for x in second.stdout.splitlines())
        assert inserted["value"] == {"offset": 2, "rows": 1}
        assert selected["value"] == [{"id": 3, "price": 4.5}]
        lost = [row["node"] for row in everywhere["value"] if "error" in row]
        assert lost == [leader]

        assert cluster.ends(signal.SIGINT) == 0
        assert not any(proc.alive(node) for node in cluster.nodes)


def test_nodes_that_die_are_started_again_if_wanted(tmp_path: Path) -> None:
    with up("--new", "--restart", "--follow", str(tmp_path / "c")) as cluster:
        before = cluster.node("n2")
        os.kill(before.pid, signal.SIGKILL)
        cluster.hears("n2 died (signal 9)")
        line = cluster.hears("n2 is started again (pid ")
        after = proc.identity(int(line.rpartition(" ")[2].rstrip(")\n")))
        assert after is not None
        assert after != before
        cluster.hears("n2 INFO group 2: recovered")
        assert cluster.ends(signal.SIGTERM) == 0
        assert not any(proc.alive(node) for node in (*cluster.nodes, after))


def test_what_a_killed_up_leaves_running_is_ended_by_whoever_comes_next(tmp_path: Path) -> None:
    with up("--new", str(tmp_path / "c")) as cluster:
        assert cluster.ends(signal.SIGKILL) == -signal.SIGKILL
        assert all(proc.alive(node) for node in cluster.nodes)
        ((sentence,), _) = leases.heal()
        assert sentence.startswith(f"The cluster of {tmp_path / 'c'} (pid {cluster.process.pid})")
        assert "delphic check" not in sentence
        assert not any(proc.alive(node) for node in cluster.nodes)


def test_calls_that_fail_and_mistakes_have_their_exit_codes(tmp_path: Path) -> None:
    with up("--new", str(tmp_path / "c")) as cluster:
        unknown = shell(cluster.sites, "-c", 'select("none"); nodeStatus()')
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert unknown.stderr.startswith("error: NoSuchTable (not executed): ")
        stranger = shell(cluster.sites, "-c", 'rpc("n9", nodeStatus)')
        assert (stranger.returncode, stranger.stderr.splitlines()[0]) == (
            1,
            "error: no node is called n9; there are n1, n2, n3",
        )
        refused = shell(cluster.sites, "-c", "login('admin', '123456'); getStreamingStat(1)")
        assert (refused.returncode, refused.stdout) == (2, "")
        taken = subprocess.run(
            [sys.executable, "-m", "delphic", "up", str(tmp_path / "c")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert taken.returncode == 4
        assert "cannot listen at" in taken.stderr
        assert cluster.ends(signal.SIGTERM) == 0
    nobody = shell(cluster.sites, "-c", "nodeStatus()")
    assert nobody.returncode == 4
    assert nobody.stderr.startswith("error: no node answers")


DATABASE = """\
database("dfs://demo", VALUE, DATE, ["2023-01-08"])
createPartitionedTable("dfs://demo", "trades", {at: DATETIME, id: SYMBOL, price: DOUBLE}, "at")
append("dfs://demo", "trades", [["2023-01-08 09:30:00", "a", 1.5], ["2023-01-09 09:30:00", "b", 2]])
upsert("dfs://demo", "trades", [["2023-01-08 09:30:00", "a", 7.5]], "id")
sqlUpdate("dfs://demo", "trades", {price: 0.5}, [["id", "=", "b"]])
sqlSelect("dfs://demo", "trades")
sqlSelect("dfs://demo", "trades", columns=["id"], filter=[["price", ">", 1]])
sqlDelete("dfs://demo", "trades", [["id", "in", ["b"]]])
sqlCount("dfs://demo", "trades")
getControllerAlias()
"""


def test_a_cluster_with_a_controller_has_databases(tmp_path: Path) -> None:
    with up("--new", "--controllers", "1", str(tmp_path / "c")) as cluster:
        assert [group["id"] for group in cluster.state["groups"]] == [1, 2]
        done = shell(cluster.sites, text=DATABASE)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            "tid  task",
            "1    0",
            "done",
            "tid  rows",
            "3    2",
            "tid  rows",
            "4    1",
            "tid  rows",
            "5    1",
            "at                   id  price",
            "2023-01-08 09:30:00  a   7.5",
            "2023-01-09 09:30:00  b   0.5",
            "id",
            "a",
            "tid  rows",
            "6    1",
            "1",
            "c1",
        ]
        unconfigured = shell(cluster.sites, "-c", "getMasterReplicationStatus()")
        assert unconfigured.returncode == 1
        assert "Replication is not enabled." in unconfigured.stderr


def test_a_cluster_whose_first_password_was_changed_starts_again(tmp_path: Path) -> None:
    directory.create(tmp_path / "c", 3, None)
    options = tmp_path / "c/config/cluster.cfg"
    settings = options.read_text()
    options.write_text(settings.replace("authentication=off", "initialAdminPassword=first"))

    async def change(site: str) -> None:
        host, _, port = site.partition(":")
        connection = await Connection.open(host, int(port), user="admin", password="first")
        await connection.call("changePwd", ("first", "second"), timeout_s=5)
        connection.close()

    with up(str(tmp_path / "c")) as cluster:
        assert cluster.state["groups"][0]["leader"] is not None
        for site in cluster.sites.split(","):
            asyncio.run(change(site))
        assert cluster.ends(signal.SIGINT) == 0
    with up(str(tmp_path / "c")) as cluster:
        assert cluster.state["groups"][0]["leader"] is None
        assert "group 2: who leads is not seen" in cluster.hears("who leads")
        assert cluster.ends(signal.SIGINT) == 0
