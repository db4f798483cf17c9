"""Which hosts there are and how each is reached: hosts.yaml, the environment, ~/.ssh/config.

No secret is in an inventory: a password is the name of the environment variable that holds it, so
that nothing made of an inventory (a plan, a log, a page) can give one away.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import ScenarioError, UsageError
from ..language.complaints import Complaint, as_error, complaints
from ..language.document import Document, parse, spell
from ..language.document import Path as Place
from ..language.units import Duration
from . import ssh_config as ssh_configuration
from .known import key_of

LEASE_S = 10.0
"""How long a fault outlives a harness that fell silent, unless the inventory says otherwise."""

LEASE_S_MIN = 1.0
"""A shorter one would end whenever a machine is busy for a moment."""

DIRECTORY = "/var/tmp/delphic"  # noqa: S108 - a default that survives a reboot, not a secret place
"""Where on a host Delphic keeps what it needs there, unless the inventory says otherwise."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ADDRESS = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One host, with everything decided: what the inventory leaves out is filled in."""

    name: str
    address: str
    user: str
    addresses: tuple[str, ...] = ()  # Further ones, for more nodes on the host.
    port: int = 22
    keys: tuple[str, ...] = ()  # Files with private keys; empty: the usual ones of the user.
    agent: bool = True  # Whether an SSH agent is asked.
    password_env: str | None = None
    passphrase_env: str | None = None
    sudo: bool = False
    sudo_password_env: str | None = None
    host_keys: tuple[str, ...] = ()  # "ssh-ed25519 AAAA…"; they alone count when there are any.
    known_hosts: tuple[str, ...] = ()  # Files; trust is recorded in the first.
    proxy: str | None = None  # A command of the user's own SSH configuration.
    directory: str = DIRECTORY
    cache: str | None = None  # Where programs are kept from run to run; several hosts may share it.
    python: str = "python3"
    roles: tuple[str, ...] = ()
    disposable_clock: bool = False
    loop_devices: bool = True  # Whether they may be used, where there are any.

    @property
    def every_address(self) -> tuple[str, ...]:
        """The addresses at which nodes may live, in order."""
        return (self.address, *self.addresses)

    @property
    def is_sudo(self) -> bool:
        """Whether root is somebody else than who logs in, and may be become."""
        return self.sudo and self.user != "root"

    @property
    def cache_directory(self) -> str:
        """Where programs are kept from run to run."""
        return self.cache or f"{self.directory}/cache"


@dataclass(frozen=True, slots=True)
class Inventory:
    """The hosts of one file, in its order."""

    hosts: tuple[Entry, ...]
    lease_s: float = LEASE_S
    file: str = ""
    digest: str = ""  # SHA-256 of the text, which holds no secrets.

    def entry(self, name: str) -> Entry:
        """The host of that name. Raises UsageError."""
        for entry in self.hosts:
            if entry.name == name:
                return entry
        raise UsageError(f"{self.file}: no host is called {name!r}")


def _fits(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"must be {what}, not {text!r}")
        return text

    return AfterValidator(check)


def _printable(text: str) -> str:
    if not text or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError(f"must be text on one line, not {text!r}")
    return text


def _absolute(text: str) -> str:
    if not text.startswith("/") or ".." in text.split("/") or text.strip("/") == "":
        raise ValueError(f"must be an absolute path below /, not {text!r}")
    return text


def _of_a_user(path: str) -> str:
    try:
        Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"no user is called {path.split('/')[0][1:]!r}") from None
    return path


def _encodable(address: str) -> str:
    try:
        address.encode("idna")
    except UnicodeError:
        raise ValueError(f"must be a name or an address, not {address!r}") from None
    return address


Line = Annotated[str, AfterValidator(_printable)]
File = Annotated[Line, AfterValidator(_of_a_user)]
Name = Annotated[str, _fits(_NAME, "lower-case letters, digits and hyphens")]
Address = Annotated[str, _fits(_ADDRESS, "a name or an address"), AfterValidator(_encodable)]
Directory = Annotated[str, AfterValidator(_printable), AfterValidator(_absolute)]
Variable = Annotated[str, _fits(_VARIABLE_NAME, "the name of an environment variable")]


class Defaults(BaseModel):
    """What a host, or `defaults` for all of them, may say. Numbers may come out of variables."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int | None = Field(default=None, ge=1, le=65535)
    user: Line | None = None
    key: File | None = None
    agent: bool | None = None
    password_env: Variable | None = None
    passphrase_env: Variable | None = None
    sudo: bool | None = None
    sudo_password_env: Variable | None = None
    known_hosts: File | None = None
    directory: Directory | None = None
    cache: Directory | None = None
    python: Line | None = None
    roles: list[Name] | None = None
    disposable_clock: bool | None = None
    loop_devices: bool | None = None


class HostPart(Defaults):
    """One host of the file."""

    name: Name
    address: Address | None = None
    addresses: list[Address] = Field(default_factory=list)
    host_key: Line | list[Line] | None = None


class InventoryPart(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    lease: Duration = Field(default=LEASE_S, ge=LEASE_S_MIN)
    defaults: Defaults = Field(default_factory=Defaults)
    hosts: list[HostPart] = Field(min_length=1)


def load(path: str | Path, ssh_config: Path | None = None) -> Inventory:
    """Read an inventory. Raises ScenarioError with every mistake, each with its line."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the inventory {file}: {error}") from error
    document = _filled(parse(text, str(path)))
    try:
        part = InventoryPart.model_validate(document.data)
    except ValidationError as error:
        schema = InventoryPart.model_json_schema()
        raise as_error(
            [_kinder(c) for c in complaints(error, document, schema)], document
        ) from None
    found = list(_problems(part))
    if found:
        raise as_error(found, document)
    config = ssh_config or Path.home() / ".ssh/config"
    ssh = ssh_configuration.text_of(config)
    entries = tuple(_entry(host, part.defaults, file, config, ssh) for host in part.hosts)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Inventory(entries, part.lease, str(path), digest)


def _filled(document: Document) -> Document:
    """The document with every ${VARIABLE} replaced by its value."""

    def fill(value: Any, place: Place) -> Any:
        if isinstance(value, dict):
            return {key: fill(inner, (*place, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner, (*place, at)) for at, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        return _VARIABLE.sub(lambda found: _variable(found[1], place, document), value)

    if not isinstance(document.data, dict):
        raise ScenarioError("an inventory is a mapping with the key hosts", file=document.file)
    return Document(fill(document.data, ()), document.lines, document.file)


def _variable(name: str, place: Place, document: Document) -> str:
    value = os.environ.get(name) if _VARIABLE_NAME.fullmatch(name) else None
    if value is None:
        sentence = f"{spell(place)}: the environment has no variable {name!r}"
        raise ScenarioError(sentence, file=document.file, line=document.line(place))
    return value


def _kinder(complaint: Complaint) -> Complaint:
    """Who writes a secret into the file is told where it belongs."""
    place, _ = complaint
    if place and place[-1] in ("password", "passphrase", "sudo_password"):
        variable = f"{place[-1]}_env"
        return place, f"{spell(place)}: no secrets in this file; name a variable with {variable}"
    return complaint


def _key_problems(host: HostPart, at: int) -> Iterator[Complaint]:
    place = ("hosts", at, "host_key")
    if host.host_key == []:
        yield place, f"hosts[{at}].host_key: must not be empty"
    for key in _listed(host.host_key):
        try:
            key_of(key)
        except UsageError as error:
            yield place, f"hosts[{at}].host_key: {error}"


def _problems(part: InventoryPart) -> Iterator[Complaint]:
    names: dict[str, int] = {}
    addresses: dict[tuple[str, int | None], str] = {}
    for at, host in enumerate(part.hosts):
        if host.name in names:
            yield ("hosts", at, "name"), f"hosts[{at}].name: {host.name!r} is there twice"
        names[host.name] = at
        for address in (host.address or host.name, *host.addresses):
            # Several hosts may share an address behind forwarded ports.
            other = addresses.setdefault((address, host.port or part.defaults.port), host.name)
            if other != host.name:
                yield ("hosts", at), f"hosts[{at}]: {address} is an address of {other} already"
        yield from _key_problems(host, at)
        if host.agent is False and host.key is None and host.password_env is None:
            sentence = f"hosts[{at}]: without the agent a key or password_env is needed"
            if part.defaults.key is None and part.defaults.password_env is None:
                yield ("hosts", at, "agent"), sentence


def _entry(host: HostPart, defaults: Defaults, file: Path, config: Path, text: str) -> Entry:
    def said(field: str, otherwise: Any = None) -> Any:
        value = getattr(host, field)
        value = getattr(defaults, field) if value is None else value
        return otherwise if value is None else value

    def near(path: str) -> str:
        return os.path.join(file.resolve().parent, os.path.expanduser(path))

    alias = host.address or host.name
    ssh = ssh_configuration.looked_up(text, config, alias, said("port"), said("user"))
    key = said("key")
    usual = [str(file.with_suffix(".known_hosts")), *ssh.get("userknownhostsfile", "").split()]
    known = [said("known_hosts")] if said("known_hosts") else [*usual, "~/.ssh/known_hosts"]
    return Entry(
        name=host.name,
        address=ssh.get("hostname", alias),
        addresses=tuple(host.addresses),
        port=said("port", int(ssh.get("port", 22))),
        user=said("user", ssh.get("user") or getuser()),
        keys=(near(key),) if key else tuple(ssh.get("identityfile", ())),
        agent=said("agent", key is None),
        password_env=said("password_env"),
        passphrase_env=said("passphrase_env"),
        sudo=said("sudo", False),
        sudo_password_env=said("sudo_password_env"),
        host_keys=tuple(" ".join(line.split()[:2]) for line in _listed(host.host_key)),
        known_hosts=tuple(dict.fromkeys(near(path) for path in known)),
        proxy=ssh_configuration.proxy(ssh),
        directory=said("directory", DIRECTORY),
        cache=said("cache"),
        python=said("python", "python3"),
        roles=tuple(said("roles", ())),
        disposable_clock=said("disposable_clock", False),
        loop_devices=said("loop_devices", True),
    )


def _listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value
