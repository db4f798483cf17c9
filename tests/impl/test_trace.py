"""Traces of a real group: what the document promises can be relied on."""

import json
from pathlib import Path
from typing import Any

import pytest
from delphic.impl.client.session import Session
from members import ALIASES, GROUP, SCHEMA, Homes, Members, ids, rows, run

pytestmark = pytest.mark.slow

Record = dict[str, Any]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Record]]:
    """Two lives of a group: a table, appends, reads, a leader that stops."""

    async def live(homes: Homes) -> None:
        async with Members(homes) as members:
            await members.start(*ALIASES)
            session: Session = members.session()
            await session.create_table(GROUP, "t", SCHEMA)
            for i in range(10):
                await session.append("t", rows(i))
            assert ids(await session.read("t", 0)) == list(range(10))
            await members.stop(await members.leader())
            await session.append("t", rows(10))
        async with Members(homes) as members:
            await members.start(*ALIASES)
            assert len(ids(await members.session().read("t", 0))) == 11

    folder = tmp_path_factory.mktemp("traced")
    with Homes(folder, extra="traceFile=trace.jsonl\n") as homes:
        run(live(homes))
        return {
            alias: [json.loads(line) for line in lines(homes.home(alias) / "trace.jsonl")]
            for alias in ALIASES
        }


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def everything(traces: dict[str, list[Record]]) -> list[Record]:
    return [record for records in traces.values() for record in records]


def uid(message: Record) -> tuple[str, int, int]:
    return tuple(message["uid"])


def test_records_are_numbered_densely_from_boot_to_stop(traces: dict[str, list[Record]]) -> None:
    for alias, records in traces.items():
        for inc in {record["inc"] for record in records}:
            life = [record for record in records if record["inc"] == inc]
            assert [record["seq"] for record in life] == list(range(len(life)))
            assert life[0]["event"]["kind"] == "boot"
            assert life[-1]["event"]["kind"] == "stop"
            assert {record["node"] for record in life} == {alias}


def test_each_message_received_was_sent_as_it_arrived(traces: dict[str, list[Record]]) -> None:
    records = everything(traces)
    described = {uid(m): m for r in records for m in r.get("out", []) + r.get("held", [])}
    left = {uid(m) for r in records for m in r.get("out", [])}
    left |= {tuple(u) for r in records for u in r["event"].get("released", [])}
    received = [record for record in records if record["event"]["kind"] == "received"]
    assert len(received) > 50
    for record in received:
        name = uid(record["event"])
        assert name in left
        sent = described[name]
        assert sent["dst"] == record["node"]
        assert {key: sent[key] for key in ("kind", "fields")} == record["event"]["message"]


def test_message_numbers_are_dense_in_an_incarnation(traces: dict[str, list[Record]]) -> None:
    for records in traces.values():
        for inc in {record["inc"] for record in records}:
            numbers = [
                message["uid"][2]
                for record in records
                if record["inc"] == inc
                for message in record.get("out", []) + record.get("held", [])
            ]
            assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_held_messages_leave_only_after_the_record_that_makes_them_durable(
    traces: dict[str, list[Record]],
) -> None:
    for records in traces.values():
        held: dict[tuple[str, int, int], int] = {}
        released = 0
        for record in records:
            for name in record["event"].get("released", []):
                assert held[tuple(name)] <= record["event"]["through"] < record["seq"]
                released += 1
            held |= {uid(message): record["seq"] for message in record.get("held", [])}
        assert released > 5


def test_the_log_follows_from_what_was_persisted(traces: dict[str, list[Record]]) -> None:
    for records in traces.values():
        log: list[list[Any]] = []
        for record in records:
            if record["event"]["kind"] == "boot":
                recovered = record["log"]["entries"]
                assert recovered == log
            persist = record.get("persist", {})
            if "truncate_from" in persist:
                del log[persist["truncate_from"] - 1 :]
            log += persist.get("entries", [])
            assert [entry[0] for entry in log] == list(range(1, len(log) + 1))
            assert record["post"]["last"] == (log[-1][:2] if log else [0, 0])
            assert record["post"]["commit"] <= len(log)


def test_what_changed_durably_is_said_to_be_unsynced(traces: dict[str, list[Record]]) -> None:
    for record in everything(traces):
        if "persist" in record:
            assert record["synced"] == (not record["persist"] and not record["held"])


def test_the_same_entry_has_the_same_digest_on_every_member(
    traces: dict[str, list[Record]],
) -> None:
    seen: dict[tuple[int, int], str] = {}
    for record in everything(traces):
        for index, term, digest in record.get("persist", {}).get("entries", []):
            assert seen.setdefault((index, term), digest) == digest
    assert len({digest for digest in seen.values()}) >= 12


def test_one_leader_a_term_and_votes_that_do_not_change(traces: dict[str, list[Record]]) -> None:
    """Promise HS-1, on this very trace."""
    leaders: dict[int, set[str]] = {}
    votes: dict[tuple[str, int], set[str]] = {}
    for record in everything(traces):
        post = record["post"]
        if post["role"] == "leader":
            leaders.setdefault(post["term"], set()).add(record["node"])
        if post["vote"] is not None:
            votes.setdefault((record["node"], post["term"]), set()).add(post["vote"])
    assert len(leaders) >= 2
    assert all(len(members) == 1 for members in leaders.values())
    assert all(len(candidates) == 1 for candidates in votes.values())
