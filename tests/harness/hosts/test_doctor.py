"""The doctor says what a host lacks, thing by thing, and nothing where nothing is lacking."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from delphic.harness.commands.doctor import doctor_command
from delphic.harness.commands.heal import heal_command
from delphic.harness.errors import WorldError
from delphic.harness.hosts import doctor as doctor_of_hosts
from delphic.harness.hosts.doctor import examine
from delphic.harness.hosts.examined import Examined, Grade
from delphic.harness.hosts.inventory import Entry, Inventory
from delphic.harness.hosts.marker import NAME, places
from delphic.harness.lab import lab

pytestmark = pytest.mark.slow

Sshd = Any
"""The server of conftest.py."""


def found(*entries: Entry) -> list[Examined]:
    return asyncio.run(asyncio.wait_for(examine(Inventory(entries, 5.0)), 100))


def bad(one: Examined) -> dict[str, str]:
    return {f.about: f.sentence for f in one.findings if f.grade is Grade.BAD}


@pytest.fixture
def marked(sshd: Sshd) -> Path:
    """The host's own folder, with the marker."""
    directory = Path(sshd.entry.directory)
    directory.mkdir(exist_ok=True)
    (directory / f".{NAME}").touch()
    return directory


def test_nothing_bad_is_said_of_a_host_that_has_everything(sshd: Sshd, marked: Path) -> None:
    (one,) = found(sshd.entry)
    assert bad(one) == {}
    about = {f.about for f in one.findings if f.grade is Grade.OK}
    assert {"login", "clock", "python", "directory", "marker", "addresses"} <= about
    kernel = [f for f in one.findings if f.about == "kernel"]
    assert "is this machine's" in kernel[0].sentence
    assert one.lacks is not None


def test_a_host_without_the_marker_is_told_how_to_make_it(sshd: Sshd, tmp_path: Path) -> None:
    directory = str(tmp_path / "data")
    said = bad(found(sshd.but(directory=directory))[0])
    assert set(said) == {"marker"}
    for place in places(directory):
        assert place in said["marker"]


def test_each_thing_that_is_missing_is_said(sshd: Sshd, marked: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for changes, about, sentence in (
        ({"python": "no-such-python"}, "python", "no-such-python is no Python; it takes 3.11"),
        ({"addresses": ("192.0.2.7",)}, "addresses", "not this host's: 192.0.2.7"),
        ({"directory": str(tmp_path / "file/x")}, "directory", "nothing can be written to"),
        ({"disposable_clock": True}, "clock", "is not disposable: this machine has the same"),
        ({"port": 1}, "host", "cannot connect to 127.0.0.1 port 1"),
        ({"host_keys": ()}, "host", "is not known; if that is the host, pin it: delphic doctor"),
    ):
        said = bad(found(sshd.but(**changes))[0])
        assert sentence in said[about], changes


def test_an_address_is_the_hosts_however_it_is_written(
    sshd: Sshd, marked: Path, tmp_path: Path
) -> None:
    (one,) = found(sshd.but(addresses=("0:0:0:0:0:0:0:1", "127.0.0.1")))
    assert "addresses" not in bad(one)


def test_where_there_is_no_ip_addresses_are_tried(
    sshd: Sshd, marked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_of_hosts, "_LOOK", doctor_of_hosts._LOOK.replace("ip -o", "no-ip"))
    (one,) = found(sshd.but(addresses=("127.0.0.7", "192.0.2.7")))
    assert bad(one)["addresses"] == "not this host's: 192.0.2.7"


def test_one_host_that_is_away_does_not_hide_the_others(sshd: Sshd, marked: Path) -> None:
    away, there = found(sshd.but(name="away", port=1), sshd.entry)
    assert away.is_bad
    assert not there.is_bad


def test_a_host_without_its_variable_does_not_hide_the_others(
    sshd: Sshd, marked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    lacking, there = found(sshd.but(name="lacking", password_env="NOT_THERE"), sshd.entry)
    assert "no variable 'NOT_THERE'" in bad(lacking)["host"]
    assert not there.is_bad


class Says:
    """A host whose every command says this."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def must(self, *words: str, again: bool) -> "Says":
        return self

    def error(self, message: str) -> WorldError:
        return WorldError(message, node="odd")

    def close(self) -> None:
        pass


def examined(monkeypatch: pytest.MonkeyPatch, text: str) -> Examined:
    """A host that says nothing else, beside one that is away."""

    async def opened(entry: Entry) -> Says:
        if entry.name == "away":
            raise WorldError("cannot connect")
        return Says(text)

    monkeypatch.setattr(doctor_of_hosts.Host, "open", opened)
    odd, away = found(Entry("odd", "127.0.0.1", "root"), Entry("away", "127.0.0.1", "root"))
    assert bad(away) == {"host": "cannot connect"}
    return odd


@pytest.mark.parametrize("text", ["Sun Nov 22 2026", "", "."])
def test_a_host_that_says_no_time_does_not_hide_the_others(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert "its `date` says no time" in bad(examined(monkeypatch, text))["host"]


def test_what_a_host_should_not_say_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    async def looked(one: Examined, host: Any) -> None:
        int("x86_64")

    monkeypatch.setattr(doctor_of_hosts, "_look", looked)
    said = bad(examined(monkeypatch, f"{time.time()}"))["host"]
    assert said == "says what is no answer: invalid literal for int() with base 10: 'x86_64'"


def test_a_date_without_parts_of_a_second_is_as_good_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def looked(one: Examined, host: Any) -> None:
        raise WorldError("enough")

    monkeypatch.setattr(doctor_of_hosts, "_look", looked)
    odd = examined(monkeypatch, f"{int(time.time())}.%N")
    (clock,) = (f for f in odd.findings if f.about == "clock")
    assert clock.grade is Grade.OK
    assert "give or take 0.5" in clock.sentence


def hosts_yaml(sshd: Sshd, folder: Path, *more: str) -> str:
    entry = sshd.entry
    fields = [f"name: {entry.name}", f"address: {entry.address}", f"port: {entry.port}"]
    fields += [f"key: {entry.keys[0]}", f"directory: {entry.directory}", *more]
    (folder / "hosts.yaml").write_text("hosts:\n- " + "\n  ".join(fields) + "\n")
    return str(folder / "hosts.yaml")


def doctor(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(doctor_command, words, input=answer)


def test_a_key_is_pinned_when_a_person_says_so_and_not_otherwise(
    sshd: Sshd, marked: Path, tmp_path: Path
) -> None:
    file = hosts_yaml(sshd, tmp_path)
    refused = doctor(file, "--trust", answer="n\n")
    assert refused.exit_code == 4
    assert "Is that the host's?" in refused.output
    assert not (tmp_path / "hosts.known_hosts").exists()
    pinned = doctor(file, "--trust", answer="y\n")
    assert pinned.exit_code == 0, pinned.output
    assert f"pinned in {tmp_path}/hosts.known_hosts" in pinned.output
    again = doctor(file, "--trust")
    assert again.exit_code == 0, again.output
    assert "is pinned already" in again.output
    assert "All there." in again.output


def test_no_key_is_pinned_in_place_of_another(sshd: Sshd, tmp_path: Path) -> None:
    other = sshd.keypair(tmp_path / "other")
    before = f"[127.0.0.1]:{sshd.port} {other}\n"
    (tmp_path / "hosts.known_hosts").write_text(before)
    said = doctor(hosts_yaml(sshd, tmp_path), "--trust", answer="y\n")
    assert said.exit_code == 4
    assert "remove the old key first" in said.output
    assert "Is that the host's?" not in said.output
    assert (tmp_path / "hosts.known_hosts").read_text() == before


def test_trust_and_healing_ask_every_host_whatever_became_of_the_first(
    sshd: Sshd, marked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    file = Path(hosts_yaml(sshd, tmp_path))
    there = file.read_text().removeprefix("hosts:\n")
    away = "hosts:\n- {name: away, address: 127.0.0.9, port: 1}\n"
    file.write_text(f"{away}{there}")
    said = doctor(str(file), "--trust", answer="y\n")
    assert said.exit_code == 4
    assert "away  cannot connect to 127.0.0.9 port 1" in said.output
    assert f"pinned in {tmp_path}/hosts.known_hosts" in said.output

    file.write_text(f"{away.replace('port: 1', 'password_env: NOT_THERE')}{there}")
    healed = CliRunner().invoke(heal_command, [str(file)])
    assert healed.exit_code == 4, healed.output
    assert "no variable 'NOT_THERE'" in healed.output
    assert "a: Nothing was left." in healed.output


def test_healing_hosts_says_of_each_what_was_left(sshd: Sshd, tmp_path: Path) -> None:
    file = hosts_yaml(sshd, tmp_path, f"host_key: {' '.join(sshd.host_key.split()[:2])}")
    said = CliRunner().invoke(heal_command, [file])
    assert (said.exit_code, said.output) == (0, "a: Nothing was left.\n")
    text = Path(file).read_text().replace(f"port: {sshd.port}", "port: 1")
    Path(file).write_text(text)
    away = CliRunner().invoke(heal_command, [file])
    assert away.exit_code == 4
    assert "a: cannot connect to 127.0.0.1 port 1" in away.output


def test_a_laboratory_is_healthy_and_fit_for_a_scenario(
    require: Callable[[object, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = lab.hindrance()
    require(reason is None, reason or "")
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path))
    made = lab.up(3, addresses=2)
    try:
        said = doctor(str(made.folder.inventory), "--scenario", "quickstart")
        assert said.exit_code == 0, said.output
        assert "quickstart can run here." in said.output
        assert said.output.count("hears all others") == 3
        said = doctor(str(made.folder.inventory), "--scenario", "bug-always-truncate")
        assert said.exit_code == 4
        assert "bug-always-truncate needs message-order, which cannot be done" in said.output
        said = doctor(str(made.folder.inventory), "--scenario", "bug-folder-not-synced")
        assert "bug-folder-not-synced needs name-loss, which cannot be done: ext4 " in said.output
    finally:
        lab.down(made)
