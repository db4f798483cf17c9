"""Members are spread over hosts, each at an address that is its own."""

import socket

import pytest
from delphic.harness.errors import UsageError, WorldError
from delphic.harness.hosts.inventory import Entry
from delphic.harness.targets.remote.placement import Spot, placed, resolved


def host(name: str, *addresses: str, roles: tuple[str, ...] = ()) -> Entry:
    first, *further = addresses
    return Entry(name, first, "me", addresses=tuple(further), roles=roles)


def test_hosts_take_members_in_turn_and_addresses_in_order() -> None:
    hosts = [host("a", "10.0.0.1", "10.0.0.11"), host("b", "10.0.0.2", "10.0.0.12")]
    assert placed(("n1", "n2", "n3", "n4"), hosts) == {
        "n1": Spot("a", "10.0.0.1"),
        "n2": Spot("b", "10.0.0.2"),
        "n3": Spot("a", "10.0.0.11"),
        "n4": Spot("b", "10.0.0.12"),
    }


def test_a_host_without_room_is_passed_over() -> None:
    hosts = [host("a", "10.0.0.1"), host("b", "10.0.0.2", "10.0.0.12")]
    assert placed(("n1", "n2", "n3"), hosts)["n3"] == Spot("b", "10.0.0.12")


def test_an_address_that_several_hosts_share_is_nobodys() -> None:
    hosts = [host("a", "gate", "10.0.0.1"), host("b", "gate", "10.0.0.2")]
    assert placed(("n1", "n2"), hosts) == {
        "n1": Spot("a", "10.0.0.1"),
        "n2": Spot("b", "10.0.0.2"),
    }
    with pytest.raises(UsageError, match="3 members need an address each, and the hosts have 2"):
        placed(("n1", "n2", "n3"), hosts)


def test_roles_decide_who_may_live_on_a_host() -> None:
    hosts = [host("a", "10.0.0.1", "10.0.0.11", roles=("data",)), host("b", "10.0.0.2")]
    assert placed(("mc1", "md1", "md2"), hosts) == {
        "mc1": Spot("b", "10.0.0.2"),
        "md1": Spot("a", "10.0.0.1"),
        "md2": Spot("a", "10.0.0.11"),
    }
    with pytest.raises(UsageError, match=r"no address is left for mc2: .* the role controller"):
        placed(("mc1", "mc2"), hosts)


def test_names_of_hosts_are_looked_up_once_for_all() -> None:
    spots = {"n1": Spot("a", "localhost"), "n2": Spot("b", "127.0.0.9")}
    found = resolved(spots)
    assert found["n1"].address in ("127.0.0.1", "::1")
    assert found["n2"] == spots["n2"]
    with pytest.raises(WorldError, match=r"^a: no such name: "):
        resolved({"n1": Spot("a", "no such name")})


def answers(monkeypatch: pytest.MonkeyPatch, **numbers: str) -> None:
    """What names are looked up as."""
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *_, **__: [(2, 1, 6, "", (numbers[name], 0))]
    )


def test_two_names_of_one_address_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, mine="192.0.2.1", other="192.0.2.1")
    spots = {"n1": Spot("a", "mine"), "n2": Spot("b", "other")}
    with pytest.raises(WorldError, match=r"^b: mine of n1 and other of n2 are one address, 192"):
        resolved(spots)


def test_a_host_that_only_this_machine_finds_is_refused_among_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Debian has such a line in /etc/hosts for a machine's own name."""
    answers(monkeypatch, mine="127.0.1.1", other="192.0.2.1", another="127.0.0.2")
    spots = {"n1": Spot("a", "other"), "n2": Spot("b", "mine")}
    with pytest.raises(WorldError, match=r"^b: mine is 127\.0\.1\.1 here, where no other host"):
        resolved(spots)
    alone = {"n1": Spot("a", "mine"), "n2": Spot("a", "another")}
    assert [spot.address for spot in resolved(alone).values()] == ["127.0.1.1", "127.0.0.2"]
