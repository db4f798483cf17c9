"""Who hears whom: at numbers, whatever addresses are called, and nobody hinders the others."""

import asyncio
import socket
from typing import Any

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts.examined import Examined
from delphic.harness.hosts.inventory import Entry
from delphic.harness.hosts.network import hear_each_other

NAMES = {"one": "192.0.2.1", "two": "192.0.2.2", "myself": "127.0.1.1", "also-one": "192.0.2.1"}


class FakeAgent:
    """An agent whose host has one address, on a network that loses nothing."""

    def __init__(self, own: str, sent: dict[str, list[dict[str, Any]]]) -> None:
        self.own = own
        self.sent = sent
        """By address, what arrives there."""

    async def call(self, do: str, **how: Any) -> Any:
        if do == "listen":
            if how["addresses"] != [self.own]:
                raise WorldError(f"{how['addresses'][0]} is not this host's")
            return {self.own: 1}
        if do == "probe":
            times = {"sent_ns": 0, "first_ns": 0, "last_ns": 0, "late_ns": 0}
            for source, own, _ in how["ways"]:
                one = {"source": source, "own": own, "packets": 3, "bytes": 9, "order": [0, 1, 2]}
                self.sent.setdefault(own, []).append({**one, **times})
            return None
        return [dict(one) for one in self.sent.get(self.own, [])]


def said(monkeypatch: pytest.MonkeyPatch, **hosts: str) -> dict[str, list[tuple[str, str]]]:
    """By host, which is at the address given, what is found: its grade, and a sentence."""

    def look_up(name: str, *_: Any, **__: Any) -> list[Any]:
        if name not in NAMES and not name[0].isdigit():
            raise socket.gaierror(-2, "Name or service not known")
        return [(2, 1, 6, "", (NAMES.get(name, name), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    found = [Examined(Entry(name, address, "me")) for name, address in hosts.items()]
    sent: dict[str, list[dict[str, Any]]] = {}
    agents: Any = {
        name: FakeAgent("10.0.0.1" if address == "192.0.2.9" else NAMES.get(address, address), sent)
        for name, address in hosts.items()
    }
    asyncio.run(hear_each_other(found, agents))
    return {
        one.entry.name: [(f.grade.value, f.sentence) for f in one.findings if f.about == "network"]
        for one in found
    }


WELL = [("ok", "hears all others")]


def test_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, a="one", b="two", c="192.0.2.3") == {"a": WELL, "b": WELL, "c": WELL}


@pytest.mark.parametrize(
    ("address", "grade", "sentence"),
    [
        ("myself", "bad", "its address is 127.0.1.1 here, where no other host finds it"),
        ("also-one", "bad", "its address is 192.0.2.1, as that of a is"),
        ("nowhere", "bad", "nowhere: Name or service not known"),
        ("192.0.2.9", "note", "no member can live at 192.0.2.9: 192.0.2.9 is not this host's"),
    ],
)
def test_a_host_that_cannot_be_asked_is_told_why_and_hinders_no_other(
    monkeypatch: pytest.MonkeyPatch, address: str, grade: str, sentence: str
) -> None:
    found = said(monkeypatch, a="one", b="two", c=address)
    assert found == {"a": WELL, "b": WELL, "c": [(grade, sentence)]}


def test_an_address_that_several_hosts_share_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = said(monkeypatch, a="one", b="one")
    shared = [("note", "one is another host's, too: no member can live there")]
    assert found == {"a": shared, "b": shared}
