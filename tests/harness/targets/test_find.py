"""What `--on` may name."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from delphic.harness.errors import UsageError
from delphic.harness.lab import lab, rootless
from delphic.harness.targets.find import find
from delphic.harness.targets.local import LOCAL
from delphic.harness.targets.sim import SIM
from delphic.harness.targets.target import Capability, Target

MEMBERS = ("n1", "n2", "n3")


def test_a_target_has_a_name() -> None:
    for target in (LOCAL, SIM):
        with find(target.name, MEMBERS) as found:
            assert found is target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("locall", "there is no target 'locall'; did you mean 'local'? (known: "),
        ("labb", "there is no target 'labb'; did you mean 'lab'? (known: "),
        ("nowhere.yaml", "cannot read the inventory nowhere.yaml"),
        ("lab:0", "a laboratory has 3 to 9 hosts, not 0"),
        ("lab:2", "a laboratory has 3 to 9 hosts, not 2"),
    ],
)
def test_what_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught, find(text, MEMBERS):
        pass
    assert message in str(caught.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_end_takes_the_laboratory_down(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    made, gone = SimpleNamespace(inventory=None), []

    def survey(*_: object, **__: object) -> Target:
        os.kill(os.getpid(), number)
        return LOCAL

    before = signal.signal(number, signal.SIG_DFL)
    monkeypatch.setattr(rootless, "enter", lambda: None)
    monkeypatch.setattr(lab, "up", lambda *_, **__: made)
    monkeypatch.setattr(lab, "down", gone.append)
    monkeypatch.setattr("delphic.harness.targets.find._surveyed", survey)
    try:
        with pytest.raises(KeyboardInterrupt), find("lab", MEMBERS):
            pass
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert gone == [made]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_told_to_end_while_the_laboratory_goes_ends_when_it_has_gone(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    gone = []

    def down(made: object) -> None:
        signal.raise_signal(number)
        signal.raise_signal(number)
        gone.append(made)

    made = SimpleNamespace(inventory=None)
    handler = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, handler)
    monkeypatch.setattr(rootless, "enter", lambda: None)
    monkeypatch.setattr(lab, "up", lambda *_, **__: made)
    monkeypatch.setattr(lab, "down", down)
    monkeypatch.setattr("delphic.harness.targets.find._surveyed", lambda *_, **__: LOCAL)
    try:
        with pytest.raises(KeyboardInterrupt), find("lab", MEMBERS):
            pass
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    assert gone == [made]


def test_too_few_addresses_are_told_before_any_host_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "hosts.yaml"
    file.write_text("hosts: [{name: h1, address: 192.0.2.1}]\n")
    said = "3 members need an address each, and the hosts have 1"
    with pytest.raises(UsageError, match=said), find(str(file), MEMBERS):
        pass


@pytest.mark.parametrize("target", [LOCAL, SIM])
def test_a_target_says_of_everything_that_it_cannot_do_why_or_where_it_can_be_done(
    target: Target,
) -> None:
    assert target.reasons.keys() == set(Capability) - target.capabilities
    assert all(target.reasons.values())
