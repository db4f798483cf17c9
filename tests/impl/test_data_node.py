"""Three members on loopback: what clients see of a group."""

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delphic.impl.client import functions
from delphic.impl.client.connection import Connection
from delphic.impl.client.errors import RequestError
from delphic.impl.host import Node
from delphic.impl.raft.disk import File
from delphic.impl.raft.messages import VoteRequest
from delphic.impl.role import NodeFailedError
from delphic.impl.runtime_disk import RealDisk, RealFile
from delphic.impl.visitor import Visitor
from delphic.impl.wire import CLIENT, MAGIC, PEER, VERSION, Hello, PeerMessage, Request, encode
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow


def refusal(outcome: Any) -> tuple[str, bool]:
    assert isinstance(outcome, RequestError)
    return outcome.name, outcome.definite


async def failure(call: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value


def test_rows_are_appended_and_read_and_all_members_hold_the_same(tmp_path: Path) -> None:
    """Promises HS-4 and HS-20."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            offsets = [await session.append("t", rows(*batch)) for batch in ([1, 2], [3], [4, 5])]
            assert offsets == [0, 2, 3]
            assert ids(await session.read("t", 0)) == [1, 2, 3, 4, 5]
            assert ids(await session.read("t", 1, 3)) == [2, 3, 4]
            assert ids(await session.read("t", 5)) == []
            tables = await members.statuses_agree()
            assert tables["t"]["rows"] == 5

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_follower_names_the_leader_and_refuses_what_only_a_leader_does(tmp_path: Path) -> None:
    """Promises HS-6 and HS-7."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            leader = await members.leader()
            follower = next(alias for alias in ALIASES if alias != leader)
            connection = await members.connect(follower)
            assert await functions.get_streaming_leader(connection, GROUP) == leader
            for call in (
                functions.append(connection, "t", rows(1)),
                functions.read(connection, "t", 0),
            ):
                error = await failure(call)
                assert refusal(error) == ("NotLeader", True)
                assert error.message == f"<NotLeader>127.0.0.1:{homes.ports[leader]}:{leader}"
                assert error.site is not None
                assert error.site.alias == leader

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_any_member_is_polled_for_what_it_has_applied(tmp_path: Path) -> None:
    """Promise HS-12."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            await session.append("t", rows(1, 2, 3))
            await members.statuses_agree()
            for alias in ALIASES:
                connection = await members.connect(alias)
                for start, limit, expected in ((0, None, [1, 2, 3]), (1, 1, [2]), (3, 5, [])):
                    schema, batches = await functions.poll_batches(connection, "t", start, limit)
                    assert ids(pa.Table.from_batches(batches, schema)) == expected
                missing = await failure(functions.poll_batches(connection, "other", 0))
                assert refusal(missing) == ("NoSuchTable", True)

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_member_alone_shows_pollers_nothing_that_is_not_committed(tmp_path: Path) -> None:
    """Promise HS-12: what a leader has logged without a majority is no row yet."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            await session.append("t", rows(1))
            leader = await members.leader()
            connection = await members.connect(leader)
            for alias in ALIASES:
                if alias != leader:
                    await members.stop(alias)
            pending = asyncio.create_task(functions.append(connection, "t", rows(2)))
            before = await functions.raft_status(connection, GROUP)
            status = before
            while status["last"] == before["commit"]:
                status = await functions.raft_status(connection, GROUP)
            assert status["role"] == "leader"
            schema, batches = await functions.poll_batches(connection, "t", 0)
            assert ids(pa.Table.from_batches(batches, schema)) == [1]
            pending.cancel()

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_member_that_knows_no_leader_names_itself(tmp_path: Path) -> None:
    """Promise HS-7, and HS-23: alone it acknowledges nothing."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n2")
            connection = await members.connect("n2")
            own = f"<NotLeader>127.0.0.1:{homes.ports['n2']}:n2"
            for call in (
                functions.append(connection, "t", rows(1)),
                functions.get_streaming_leader(connection, GROUP),
                functions.create_table(connection, GROUP, "t", SCHEMA),
            ):
                error = await failure(call)
                assert (error.name, error.definite, error.message) == ("NotLeader", True, own)

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_any_member_creates_a_table_and_only_the_first_creation_counts(tmp_path: Path) -> None:
    """V13: what a follower is asked, the leader does."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            leader = await members.leader()
            connections = {alias: await members.connect(alias) for alias in ALIASES}
            await members.statuses_agree()
            for alias, connection in connections.items():
                await functions.create_table(connection, GROUP, f"t_{alias}", SCHEMA)
                error = await failure(
                    functions.create_table(connection, GROUP, f"t_{alias}", SCHEMA)
                )
                assert refusal(error) == ("TableExists", True)
            same = [
                functions.create_table(connection, GROUP, "both", SCHEMA)
                for connection in connections.values()
            ]
            outcomes = await asyncio.gather(*same, return_exceptions=True)
            refused = [outcome for outcome in outcomes if outcome is not None]
            assert [refusal(outcome) for outcome in refused] == [("TableExists", True)] * 2
            assert set(await members.statuses_agree()) == {"t_n1", "t_n2", "t_n3", "both"}
            assert leader == await members.leader()

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_what_does_not_fit_the_table_is_refused_before_it_is_logged(tmp_path: Path) -> None:
    """W7."""
    other = pa.record_batch([[1.0]], names=["x"])
    empty = SCHEMA.empty_table().to_batches() or [rows(1).slice(0, 0)]
    coded = pa.schema([("c", pa.dictionary(pa.int8(), pa.string()))])

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            await members.session().create_table(GROUP, "t", SCHEMA)
            leader = await members.connect(await members.leader())
            before = await functions.raft_status(leader, GROUP)
            insert = functions.fingerprint(SCHEMA)
            for call, name in (
                (functions.append(leader, "t", other), "SchemaMismatch"),
                (functions.append(leader, "t", empty[0]), "BadRequest"),
                (functions.append(leader, "u", rows(1)), "NoSuchTable"),
                (functions.read(leader, "u", 0), "NoSuchTable"),
                (functions.read(leader, "t", -1), "BadRequest"),
                (functions.create_table(leader, GROUP, "a b", SCHEMA), "BadRequest"),
                (functions.create_table(leader, GROUP, "c", coded), "BadRequest"),
                (functions.create_table(leader, GROUP, "c", pa.schema([])), "BadRequest"),
                (functions.create_table(leader, 7, "t", SCHEMA), "BadRequest"),
                (functions.create_table(leader, GROUP, "c", SCHEMA, cache_limit=-1), "BadRequest"),
                (
                    functions.create_table(leader, GROUP, "c", SCHEMA, retention_minutes=0),
                    "BadRequest",
                ),
                (leader.call("tableInsert", ("t", insert, b"junk"), timeout_s=5), "BadRequest"),
                (leader.call("tableInsert", ("t", 5), timeout_s=5), "BadRequest"),
                (leader.call("dropStreamTables", ("t",), timeout_s=5), "BadRequest"),
                (functions.drop_table(leader, "u"), "NoSuchTable"),
            ):
                assert refusal(await failure(call)) == (name, True)
            assert (await functions.raft_status(leader, GROUP))["last"] == before["last"]

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_metadata_is_no_part_of_a_schema(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA.with_metadata({"from": "elsewhere"}))
            marked = pa.record_batch(rows(1).columns, schema=SCHEMA.with_metadata({"a": "b"}))
            assert await session.append("t", marked) == 0
            assert (await session.read("t", 0)).schema == SCHEMA

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_when_the_leader_stops_the_rest_go_on_and_it_catches_up_later(tmp_path: Path) -> None:
    """Promises HS-2, HS-22, HS-25, HS-26."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            await session.append("t", rows(1))
            first = await members.leader()
            await members.stop(first)
            assert await session.append("t", rows(2, 3)) == 1
            assert ids(await session.read("t", 0)) == [1, 2, 3]
            assert await members.leader() != first
            await members.start(first)
            assert (await members.statuses_agree())["t"]["rows"] == 3

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_after_a_restart_of_all_every_acknowledged_row_is_there_once(tmp_path: Path) -> None:
    """Promises HS-2, HS-9, HS-18."""

    async def scenario(homes: Homes) -> None:
        digests = []
        for life in range(3):
            async with Members(homes) as members:
                await members.start(*ALIASES)
                session = members.session()
                if not life:
                    await session.create_table(GROUP, "t", SCHEMA)
                assert ids(await session.read("t", 0)) == list(range(life * 20))
                if life < 2:
                    for i in range(life * 20, life * 20 + 20, 2):
                        assert await session.append("t", rows(i, i + 1)) == i
                digests.append((await members.statuses_agree())["t"])
                connection = await members.connect("n1")
                status = await connection.call("nodeStatus", timeout_s=5)
                assert status["incarnation"] == life + 1
        assert digests[1] == digests[2]

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_lost_data_file_is_written_again_from_the_log(tmp_path: Path) -> None:
    """Promise HS-9: the log is what must survive (V19)."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            for i in range(5):
                await session.append("t", rows(i))
            await members.statuses_agree()
        files = [next(homes.home(alias).glob("data/2/t.*/data0.log")) for alias in ALIASES]
        whole = files[0].read_bytes()
        assert [file.read_bytes() == whole for file in files] == [True] * 3
        files[0].unlink()
        files[1].write_bytes(whole[:-7])
        async with Members(homes) as members:
            await members.start(*ALIASES)
            assert ids(await members.session().read("t", 0)) == [0, 1, 2, 3, 4]
            await members.statuses_agree()
        assert [file.read_bytes() == whole for file in files] == [True] * 3

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_an_append_without_a_majority_ends_as_indeterminate(tmp_path: Path) -> None:
    """HS-23: a leader that nobody answers steps down; what it logged may still commit."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            await members.session().create_table(GROUP, "t", SCHEMA)
            leader = await members.leader()
            connection = await members.connect(leader)
            await members.stop(*(alias for alias in ALIASES if alias != leader))
            written, read = await asyncio.gather(
                functions.append(connection, "t", rows(1), timeout_s=10),
                functions.read(connection, "t", 0, timeout_s=10),
                return_exceptions=True,
            )
            assert refusal(written) == ("Indeterminate", False)
            assert refusal(read) == ("NotLeader", True)
            error = await failure(functions.append(connection, "t", rows(2)))
            assert refusal(error) == ("NotLeader", True)
            assert error.site is not None
            assert error.site.alias == leader

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_read_larger_than_a_frame_comes_in_parts(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64())])
    part = pa.record_batch([list(range(200_000))], schema=schema)

    async def scenario(homes: Homes) -> None:
        async with Members(homes, frame_bytes_max=4 << 20) as members:
            await members.start(*ALIASES)
            session = members.session()
            await session.create_table(GROUP, "t", schema)
            for i in range(4):
                assert await session.append("t", part) == i * 200_000
            assert ids(await session.read("t", 0)) == list(range(200_000)) * 4
            found = await session.read("t", 150_000, 500_000)
            assert ids(found) == (list(range(200_000)) * 4)[150_000:650_000]

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_batch_larger_than_a_frame_is_refused_and_the_node_lives(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64())])
    near = pa.record_batch([list(range((4 << 20) // 8 - 300))], schema=schema)
    over = pa.record_batch([list(range((5 << 20) // 8))], schema=schema)

    async def scenario(homes: Homes) -> None:
        async with Members(homes, frame_bytes_max=4 << 20) as members:
            await members.start(*ALIASES)
            await members.session().create_table(GROUP, "t", schema)
            leader = await members.leader()
            connection = await members.connect(leader)
            error = await failure(functions.append(connection, "t", near))
            assert refusal(error) == ("FrameTooLarge", True)
            error = await failure(functions.append(connection, "t", over))
            assert refusal(error) == ("FrameTooLarge", True)
            assert await functions.append(connection, "t", near.slice(0, 10)) == 0

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_columns_that_leave_no_room_for_rows_are_refused_and_the_group_goes_on(
    tmp_path: Path,
) -> None:
    """HS-22: an entry that no frame holds is sent to nobody, and nothing behind it commits."""
    broad = pa.schema([("x" * ((4 << 20) - 600), pa.int64())])

    async def scenario(homes: Homes) -> None:
        async with Members(homes, frame_bytes_max=4 << 20) as members:
            await members.start(*ALIASES)
            one = await members.connect(await members.leader())
            error = await failure(functions.create_table(one, GROUP, "broad", broad))
            assert refusal(error) == ("FrameTooLarge", True)
            await functions.create_table(one, GROUP, "t", SCHEMA)
            assert await functions.append(one, "t", rows(1)) == 0

    with Homes(tmp_path) as homes:
        run(scenario(homes))


async def blocked(node: Node, before: set[Visitor]) -> Visitor:
    """The first newer visitor that does not read what it is sent."""
    async with asyncio.timeout(10):
        while True:
            for visitor in node.visitors:
                if visitor not in before and not visitor.is_writable:
                    return visitor
            await asyncio.sleep(0.001)


def test_reads_of_a_client_that_reads_no_answers_wait(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64())])
    part = pa.record_batch([list(range(100_000))], schema=schema)
    asks = [Hello(MAGIC, VERSION, CLIENT, "", "")]
    asks += [Request(i, "readRows", ("t", 0, None)) for i in range(40)]
    data = b"".join(piece for frame in asks for piece in encode(frame, 1 << 20))

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            leader = await members.leader()
            other = await members.connect(leader)
            await functions.create_table(other, GROUP, "t", schema)
            await functions.append(other, "t", part)
            before = set(members.node(leader).visitors)
            with socket.create_connection(("127.0.0.1", members.homes.ports[leader])) as client:
                client.sendall(data)
                visitor = await blocked(members.node(leader), before)
                for _ in range(3):
                    # Reads of others are answered meanwhile.
                    assert ids(await functions.read(other, "t", 7, 1)) == [7]
                assert visitor.channel.buffered() < 2 * part.nbytes
                client.setblocking(False)
                arrived = 0
                while arrived < 40 * part.nbytes:
                    arrived += len(await asyncio.get_running_loop().sock_recv(client, 1 << 20))

    with Homes(tmp_path) as homes:
        run(scenario(homes))


async def raw_exchange(port: int, data: bytes) -> bytes:
    """Send bytes, and read what comes until the node ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def framed(hello: Hello, *more: PeerMessage) -> bytes:
    return b"".join(b"".join(encode(frame, 1 << 20)) for frame in (hello, *more))


def test_strangers_are_turned_away_with_a_reason_and_the_node_lives(tmp_path: Path) -> None:
    forged = PeerMessage(GROUP, 1, 1, VoteRequest("n2", "n1", 99, 99, 99, False))

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            node = members.node("n1")
            cluster = node.cluster_id
            before = await functions.raft_status(await members.connect("n1"), GROUP)
            for data, reason in (
                (b"GET / HTTP/1.1\r\n\r\n", b""),
                (b"\x00\x00\x00\x05hello", b""),
                (framed(Hello("other", VERSION, PEER, "n2", cluster)), b"Delphic data node"),
                (framed(Hello(MAGIC, 99, "client", "", "")), b"version 99"),
                (framed(Hello(MAGIC, VERSION, "spy", "", "")), b"neither client nor peer"),
                (framed(Hello(MAGIC, VERSION, PEER, "n2", "x")), b"another cluster than n1"),
                (framed(Hello(MAGIC, VERSION, PEER, "n9", cluster)), b""),
                (framed(Hello(MAGIC, VERSION, PEER, "n3", cluster), forged), b"n1"),
            ):
                assert reason in await raw_exchange(homes.ports["n1"], data)
            after = await functions.raft_status(await members.connect("n1"), GROUP)
            assert after["term"] == before["term"]

    with Homes(tmp_path) as homes:
        run(scenario(homes))


def test_a_node_that_stops_leaves_no_call_unanswered(tmp_path: Path) -> None:
    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start("n1", "n2")
            await members.session().create_table(GROUP, "t", SCHEMA)
            leader = await members.leader()
            connection: Connection = await members.connect(leader)
            call = asyncio.ensure_future(functions.append(connection, "t", rows(1)))
            await members.stop("n1", "n2")
            outcome = (await asyncio.gather(call, return_exceptions=True))[0]
            assert outcome == 0 or refusal(outcome) in (
                ("Disconnected", False),
                ("Disconnected", True),
                ("Indeterminate", False),
            )
            error = await failure(functions.append(connection, "t", rows(2)))
            assert refusal(error) == ("Disconnected", True)

    with Homes(tmp_path) as homes:
        run(scenario(homes))


class FullDisk(RealDisk):
    """A disk on which nothing more can be appended from some moment on."""

    def __init__(self) -> None:
        self.is_full: set[str] = set()

    def open(self, path: str) -> File:
        return FullFile(self, path)


class FullFile(RealFile):
    """A file of it."""

    def __init__(self, disk: FullDisk, path: str) -> None:
        super().__init__(path)
        self._disk = disk
        self._suffix = Path(path).suffix

    def append(self, *pieces: bytes | memoryview) -> None:
        if self._suffix in self._disk.is_full:
            raise OSError(28, "No space left on device")
        super().append(*pieces)


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [(".wal", "Raft log"), (".log", "data file"), (".jsonl", "trace file")],
)
def test_a_full_disk_ends_the_node_and_the_others_go_on(
    tmp_path: Path, suffix: str, reason: str
) -> None:
    """What the disk did not take is acknowledged by nobody; the majority loses nothing."""

    async def scenario(homes: Homes) -> None:
        async with Members(homes) as members:
            disk = FullDisk()
            await members.start("n1", disk=disk)
            await members.start("n2", "n3")
            session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            await session.append("t", rows(1))
            disk.is_full.add(suffix)
            found = [1]
            for i in (2, 3):
                with contextlib.suppress(RequestError):
                    await session.append("t", rows(i))
                    found.append(i)
            with pytest.raises(NodeFailedError, match=f"{reason}.*No space left on device"):
                await members.ended("n1")
            assert set(found) <= set(ids(await session.read("t", 0)))

    with Homes(tmp_path, extra="traceFile=trace.jsonl\n") as homes:
        run(scenario(homes))
