"""hosts.yaml: what it may say, where else answers are looked for, what is refused."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.errors import ScenarioError, UsageError
from delphic.harness.hosts.inventory import DIRECTORY, LEASE_S, Entry, Inventory, load


def read(folder: Path, text: str, ssh_config: str = "") -> Inventory:
    (folder / "hosts.yaml").write_text(text)
    (folder / "config").write_text(ssh_config)
    return load(folder / "hosts.yaml", folder / "config")


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        read(folder, text)
    return str(caught.value).replace(f"{folder}/", "")


def test_what_is_said_of_all_holds_unless_a_host_says_otherwise(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        lease: 5s
        defaults: {user: deploy, sudo: true, key: id, roles: [member]}
        hosts:
          - {name: a, address: 192.0.2.1, addresses: [192.0.2.11, "2001:db8::1"]}
          - {name: b, address: 192.0.2.2, user: root, sudo: false, port: 2022, roles: [client]}
        """,
    )
    key = str(tmp_path / "id")
    known = (str(tmp_path / "hosts.known_hosts"), str(Path("~/.ssh/known_hosts").expanduser()))
    said: dict[str, Any] = {"keys": (key,), "agent": False, "known_hosts": known}
    further = ("192.0.2.11", "2001:db8::1")
    assert found.hosts == (
        Entry("a", "192.0.2.1", "deploy", further, sudo=True, roles=("member",), **said),
        Entry("b", "192.0.2.2", "root", port=2022, roles=("client",), **said),
    )
    assert found.lease_s == 5.0
    assert found.hosts[0].every_address == ("192.0.2.1", *further)
    assert found.entry("b") is found.hosts[1]
    with pytest.raises(UsageError, match="no host is called 'c'"):
        found.entry("c")


def test_what_nobody_says_has_defaults(tmp_path: Path) -> None:
    found = read(tmp_path, "hosts: [{name: a, user: me}]")
    (entry,) = found.hosts
    assert (entry.address, entry.port, entry.directory) == ("a", 22, DIRECTORY)
    assert (entry.keys, entry.agent, entry.sudo, entry.proxy) == ((), True, False, None)
    assert (entry.disposable_clock, entry.loop_devices) == (False, True)
    assert found.lease_s == LEASE_S


def test_a_host_may_keep_its_loop_devices_to_itself(tmp_path: Path) -> None:
    text = "defaults: {loop_devices: false}\nhosts: [{name: a}, {name: b, loop_devices: true}]"
    assert [entry.loop_devices for entry in read(tmp_path, text).hosts] == [False, True]


def test_the_users_ssh_configuration_answers_what_the_inventory_leaves_open(
    tmp_path: Path,
) -> None:
    config = """
        Host a
            HostName 192.0.2.7
            Port 2200
            User deploy
            IdentityFile /keys/a
            UserKnownHostsFile /known/a
            ProxyCommand ssh -W %h:%p gate
        Host b
            ProxyJump gate
    """
    found = read(tmp_path, "hosts: [{name: a}, {name: b, address: b, user: x}]", config)
    a, b = found.hosts
    assert (a.address, a.port, a.user, a.keys) == ("192.0.2.7", 2200, "deploy", ("/keys/a",))
    assert "/known/a" in a.known_hosts
    assert a.proxy == "ssh -W 192.0.2.7:2200 gate"
    assert b.proxy == "ssh -W b:22 -- gate"


def test_the_environment_fills_in_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHO", "de ploy'$(x)")
    monkeypatch.setenv("PORT", "2022")
    text = "hosts: [{name: a, user: '${WHO}', port: '${PORT}', directory: '/srv/${WHO}'}]"
    (entry,) = read(tmp_path, text).hosts
    assert (entry.user, entry.port) == ("de ploy'$(x)", 2022)
    assert entry.directory == "/srv/de ploy'$(x)"


def test_an_inventory_keeps_the_names_of_secrets_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASS", "very secret")
    found = read(tmp_path, "hosts: [{name: a, password_env: PASS, sudo_password_env: PASS}]")
    assert found.hosts[0].password_env == "PASS"
    assert "very secret" not in repr(found) + str(dataclasses.asdict(found))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]", "hosts.yaml: an inventory is a mapping"),
        ("lease: 5s", "hosts.yaml:1: hosts: is missing"),
        ("hosts: []", "hosts.yaml:1: hosts: must not be empty"),
        ("hosts:\n- {name: a,\n   adress: b}", "hosts.yaml:3: hosts[0].adress: unknown key; did"),
        ("hosts:\n- {name: A}", "hosts[0].name: must be lower-case letters, digits and hyphens"),
        ("hosts:\n- {name: -a}", "hosts[0].name: must be lower-case letters"),
        ("hosts:\n- {name: a}\n- {name: a}", "hosts.yaml:3: hosts[1].name: 'a' is there twice"),
        ("hosts:\n- {name: a, address: -oProxyCommand=x}", "must be a name or an address"),
        ("hosts:\n- {name: a, address: b}\n- {name: c, address: b}", "an address of a already"),
        ("hosts:\n- {name: a, port: 70000}", "hosts[0].port: must be at most 65535"),
        ("hosts:\n- {name: a, user: ''}", "hosts[0].user: must be text on one line"),
        ('hosts:\n- {name: a, user: "b\\nc"}', "hosts[0].user: must be text on one line"),
        ('hosts:\n- {name: a, directory: "/a\\0"}', "must be text on one line"),
        ("hosts:\n- {name: a, directory: data}", "must be an absolute path below /"),
        ("hosts:\n- {name: a, directory: /}", "must be an absolute path below /"),
        ("hosts:\n- {name: a, directory: /srv/../etc}", "must be an absolute path below /"),
        ("hosts:\n- {name: a, user: '${NOT_THERE}'}", "no variable 'NOT_THERE'"),
        ("hosts:\n- {name: a, user: '${$(id)}'}", "no variable '$(id)'"),
        ("hosts:\n- {name: a,\n   password: x}", "hosts.yaml:3: hosts[0].password: no secrets in"),
        ("hosts:\n- {name: a, password_env: 'a b'}", "must be the name of an environment variable"),
        ("hosts:\n- {name: a, host_key: AAAA}", "write it like `ssh-ed25519 AAAA…`"),
        (
            "hosts:\n- {name: a,\n   host_key: ssh-ed25519 AAAA}",
            "hosts.yaml:3: hosts[0].host_key: n",
        ),
        (
            "hosts:\n- {name: a,\n   host_key: [ssh-ed25519 AAA]}",
            "not a public key: 'ssh-ed25519 A",
        ),
        ("hosts:\n- {name: a,\n   host_key: ssh-unheard-of AAAA}", "hosts.yaml:3: hosts[0].host_"),
        (
            "hosts:\n- {name: a,\n   host_key: []}",
            "hosts.yaml:3: hosts[0].host_key: must not be em",
        ),
        (
            "hosts:\n- {name: a,\n   address: a..b}",
            "hosts.yaml:3: hosts[0].address: must be a name",
        ),
        (f"hosts:\n- {{name: a, address: {70 * 'a'}.b}}", "hosts[0].address: must be a name or an"),
        ("hosts:\n- {name: a,\n   key: ~no-such-user/x}", "hosts.yaml:3: hosts[0].key: no user is"),
        (
            "defaults:\n  known_hosts: ~no-such-user/x\nhosts: [{name: a}]",
            "yaml:2: defaults.known_",
        ),
        ("lease: 1ms\nhosts: [{name: a}]", "hosts.yaml:1: lease: must be at least 1"),
        ("hosts:\n- {name: a, agent: false}", "without the agent a key or password_env is needed"),
        ("lease: 5\nhosts: [{name: a}]", "hosts.yaml:1: lease: must be a duration like"),
        ("hosts: [", "hosts.yaml:1: not YAML"),
    ],
)
def test_a_mistake_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)


def test_the_example_of_the_page_is_an_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELPHIC_USER", "somebody")
    found = load(Path(__file__).parents[3] / "docs/hosts.yaml", Path("/dev/null"))
    assert [entry.name for entry in found.hosts] == ["a", "b", "c"]
    said = {field for entry in found.hosts for field in entry_fields(entry)}
    assert said == {field.name for field in dataclasses.fields(Entry)} - {
        *("passphrase_env", "cache", "proxy", "disposable_clock", "loop_devices")
    }


def entry_fields(entry: Entry) -> set[str]:
    """The fields that are not as they are by themselves."""
    plain = Entry(name="", address="", user="")
    fields = {field.name for field in dataclasses.fields(Entry)}
    return {name for name in fields if getattr(entry, name) != getattr(plain, name)}


def test_a_file_that_is_not_there_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the inventory"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"Host a\n Port abc\n", "config: the port of a is 'abc'"),
        (b"Host a\n Port 0x16\n", "config: the port of a is '0x16'"),
        (b"Host a\n Port 99999\n", "config: the port of a is '99999'"),
        (b"Host a\n User\n", "config: "),
        (b"Match nonsense\n", "config: "),
    ],
)
def test_a_mistake_in_the_ssh_configuration_is_one_of_the_user(
    tmp_path: Path, config: bytes, said: str
) -> None:
    (tmp_path / "hosts.yaml").write_text("hosts: [{name: a}]")
    (tmp_path / "config").write_bytes(config)
    with pytest.raises(UsageError, match=re.escape(said)):
        load(tmp_path / "hosts.yaml", tmp_path / "config")


INCLUDING = """\
Port 2200
Include config.d/*.conf none/*
User after
Host b
  Include "config.d/for hosts"
  IdentityFile /after
Host a
  Include = config.d/only_a
Host *
  Port 23
"""


def test_what_the_ssh_configuration_includes_stands_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "config.d"
    folder.mkdir()
    (folder / "1.conf").write_text("Host a\n  HostName 192.0.2.1\n  User inner\n")
    (folder / "2.conf").write_text("Include config.d/deep\nHost c\n  HostName 192.0.2.3\n")
    (folder / "deep").write_text("ForwardAgent no\nHost b\n  HostName 192.0.2.2\n")
    (folder / "for hosts").write_text("IdentityFile /inner\nHost a\n  HostName nobody\n")
    (folder / "only_a").write_text("Host c *\n  ProxyCommand px %h\n")
    a, b, c = read(tmp_path, "hosts: [{name: a}, {name: b}, {name: c}]", INCLUDING).hosts
    assert (a.address, a.user, a.port, a.proxy) == ("192.0.2.1", "inner", 2200, "px 192.0.2.1")
    assert (b.address, b.user, b.keys) == ("192.0.2.2", "after", ("/inner", "/after"))
    assert (c.address, c.user, c.keys, c.proxy) == ("192.0.2.3", "after", (), None)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("Include config\n", "includes itself, or too many files one in another"),
        ("Match host a\n  Include x\n", "`Include x` under a `Match` cannot be followed"),
        ('Include "x\n', "cannot be read: No closing quotation"),
    ],
)
def test_an_inclusion_that_cannot_be_followed_is_named(
    tmp_path: Path, config: str, said: str
) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match=re.escape(said)):
        read(tmp_path, "hosts: [{name: a}]", config)


@pytest.mark.parametrize("hidden", [b"b0VIM 8.2\0\n\0stuff\n", b"Host a\n  HostName copy\n"])
def test_hidden_files_are_included_only_by_name_as_ssh_does_it(
    tmp_path: Path, hidden: bytes
) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d/.one.swp").write_bytes(hidden)
    (tmp_path / "config.d/one").write_text("Host a\n  HostName 192.0.2.1\n")
    (entry,) = read(tmp_path, "hosts: [{name: a}]", "Include config.d/*\n").hosts
    assert entry.address == "192.0.2.1"


@pytest.mark.parametrize("named", ["/", "''", ".", "long" * 100, "a**", "~nobody-at-all/x"])
def test_an_inclusion_that_means_no_file_is_none(tmp_path: Path, named: str) -> None:
    (entry,) = read(tmp_path, "hosts: [{name: a}]", f"Include {named}\nPort 23\n").hosts
    assert entry.port == 23


def test_an_inclusion_for_all_is_followed(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("Port 24\n")
    config = "Host b\n  Port 23\nMatch all\n  Include x\n  User me\n"
    a, b = read(tmp_path, "hosts: [{name: a}, {name: b}]", config).hosts
    assert (a.port, a.user, b.port, b.user) == (24, "me", 23, "me")


@pytest.mark.parametrize(
    "user", ["$(touch it)", "a;touch it", "`touch it`", "a -F it", 'a"b', "a'b"]
)
def test_no_user_is_a_command_of_the_shell_that_runs_a_proxy(tmp_path: Path, user: str) -> None:
    hosts = f"hosts: [{{name: a, user: {json.dumps(user)}}}]"
    (entry,) = read(tmp_path, hosts).hosts
    assert entry.user == user
    with pytest.raises(
        UsageError, match=r"a: a ProxyCommand is a shell's, which no user .* is for"
    ):
        read(tmp_path, hosts, 'ProxyCommand ssh "%r@jump"\n')


def test_a_user_of_a_domain_may_have_a_proxy(tmp_path: Path) -> None:
    hosts = "hosts: [{name: a, user: 'CORP\\me'}]"
    (entry,) = read(tmp_path, hosts, "ProxyCommand px %r %h\n").hosts
    assert entry.proxy == "px 'CORP\\me' a"


def test_an_ssh_configuration_may_hold_any_bytes(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("hosts: [{name: a}]")
    (tmp_path / "config").write_bytes(
        b"# caf\xe9\nHost a\n HostName 192.0.2.1\n UserKnownHostsFile ~no-such-user/x\n"
    )
    (entry,) = load(tmp_path / "hosts.yaml", tmp_path / "config").hosts
    assert entry.address == "192.0.2.1"


@pytest.mark.parametrize(
    ("config", "host", "proxy"),
    [
        ("ProxyJump admin@b:2222", "", "ssh -W a:22 -- ssh://admin@b:2222"),
        ("ProxyJump x,me@y,z:1", "", "ssh -J x,me@y -W a:22 -- ssh://z:1"),
        ("ProxyJump ssh://b:1", "", "ssh -W a:22 -- ssh://b:1"),
        ("ProxyJump u@[fd00::1]:7", "", "ssh -W a:22 -- 'ssh://u@[fd00::1]:7'"),
        ("ProxyJump fd00::1", "", "ssh -W a:22 -- fd00::1"),
        ("ProxyJump b", "port: 2022", "ssh -W a:2022 -- b"),
        ("HostName fd00::5\n ProxyJump b", "", "ssh -W '[fd00::5]:22' -- b"),
        ("ProxyJump none\nHost *\n ProxyJump b", "", None),
        ("ProxyJump none\n ProxyCommand nc %h %p", "", None),
        ("ProxyCommand none\nHost *\n ProxyCommand nc", "", None),
        ("ProxyCommand none\n ProxyJump b", "", None),
        ("ProxyCommand nc\n ProxyJump b", "", "nc"),
        ("ProxyCommand nc %h %p", "port: 2022", "nc a 2022"),
        ("ProxyCommand nc -l %r %h", "user: bob", "nc -l bob a"),
        ("ProxyCommand nc -l %r %h", "user: 'b c'", "nc -l 'b c' a"),
    ],
)
def test_a_proxy_is_asked_for_the_very_host(
    tmp_path: Path, config: str, host: str, proxy: str | None
) -> None:
    text = f"hosts: [{{name: a, {host}}}]"
    (entry,) = read(tmp_path, text, f"Host a\n {config}\n").hosts
    assert entry.proxy == proxy
