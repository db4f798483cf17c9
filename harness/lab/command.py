"""The command `lab`: a laboratory to work with, until it is taken down."""

import shlex
import sys
from pathlib import Path

import click

from .. import data
from ..agent import proc
from ..errors import ExitCode, UsageError
from . import kernel
from . import rootless as namespaces
from .folder import records
from .lab import HOSTS_MAX, HOSTS_MIN, Lab, Status, down, heal, status, up


@click.group("lab")
def lab_command() -> None:
    """Hosts on this machine, each in namespaces of its own and with an sshd of its own."""


@lab_command.command("up")
@click.option(
    "--hosts", type=click.IntRange(HOSTS_MIN, HOSTS_MAX), default=HOSTS_MIN, show_default=True
)
@click.option(
    "--addresses",
    type=click.IntRange(1, kernel.ADDRESSES_MAX),
    default=1,
    show_default=True,
    help="Of each host: one for each node that is to live there.",
)
@click.option("--sudo", is_flag=True, help="Log in as somebody who is not root, but may become it.")
@click.option("--rootless", is_flag=True, help="As anybody who is not root has to.")
@data.AS_JSON
def _up(hosts: int, addresses: int, sudo: bool, rootless: bool, as_json: bool) -> None:
    """Make a laboratory; it stays until `delphic lab down`, or until the machine restarts.

    Without root it is made in a user namespace, and only what is started by `delphic lab enter`
    reaches its hosts.
    """
    if not namespaces.may_here() or (rootless and not namespaces.is_inside()):
        namespaces.enter_holder(namespaces.hold(), [sys.executable, *sys.orig_argv[1:]])
    try:
        _made(hosts, addresses, sudo=sudo, as_json=as_json)
    except BaseException:
        namespaces.let_go()
        raise


def _made(hosts: int, addresses: int, *, sudo: bool, as_json: bool) -> None:
    lab = up(hosts, addresses=addresses, sudo=sudo, keep=True)
    known = lab.folder.path / "known_hosts"
    known.write_text("".join(f"{e.address} {e.host_keys[0]}\n" for e in lab.inventory.hosts))
    if as_json:
        data.show(_plain(lab, known))
        return
    first = lab.inventory.hosts[0]
    click.echo(f"{lab.name} is up: {lab.folder.inventory}")
    for entry in lab.inventory.hosts:
        click.echo(f"  {entry.name}  {' '.join(entry.every_address)}")
    if namespaces.is_inside():
        inventory = shlex.quote(str(lab.folder.inventory))
        click.echo(f"Inside: delphic lab enter delphic run quickstart --on {inventory}")
        return
    click.echo(
        f"To look around: ssh -i {first.keys[0]} -o UserKnownHostsFile={known} "
        f"{first.user}@{first.address}"
    )


def _plain(lab: Lab, known: Path) -> dict[str, object]:
    hosts = [
        {"name": entry.name, "user": entry.user, "addresses": entry.every_address}
        for entry in lab.inventory.hosts
    ]
    return {
        "name": lab.name,
        "inventory": lab.folder.inventory,
        "key": lab.inventory.hosts[0].keys[0],
        "known_hosts": known,
        "rootless": namespaces.is_inside(),
        "hosts": hosts,
    }


@lab_command.command("down")
@data.AS_JSON
@click.pass_context
def _down(context: click.Context, as_json: bool) -> None:
    """Remove all laboratories but those that a living run has made for itself.

    Exit code: 0 nothing is left of them, 4 something is.
    """
    said, is_whole = heal()
    said += [f"{name} is gone." for name in down()]
    code = ExitCode.AS_EXPECTED if is_whole else ExitCode.WORLD
    if as_json:
        data.show({"said": said}, code)
        context.exit(code)
    for sentence in said or ["There was no laboratory."]:
        click.echo(sentence)
    context.exit(code)


@lab_command.command("enter", context_settings={"ignore_unknown_options": True})
@click.argument("words", metavar="COMMAND…", nargs=-1, required=True, type=click.UNPROCESSED)
def _enter(words: tuple[str, ...]) -> None:
    """Run a command where it reaches the hosts of a laboratory that was made without root."""
    held = [record.inside for record in records() if record.inside is not None]
    if not held:
        raise UsageError("no laboratory was made without root: every command reaches its hosts")
    held = [inside for inside in held if proc.alive(inside)]
    if not held:
        raise UsageError("the laboratory that was made without root is gone: delphic lab up")
    namespaces.enter_holder(held[-1], words)


@lab_command.command("status")
@data.AS_JSON
def _status(as_json: bool) -> None:
    """Show the laboratories and which of their hosts are on."""
    found = status()
    if as_json:
        data.show({"labs": [_status_as_data(lab) for lab in found]})
        return
    for lab in found:
        whose = "stays until it is taken down" if lab.owner is None else f"of pid {lab.owner}"
        whose = "nobody needs it: delphic lab down" if lab.is_stale else lab.error or whose
        click.echo(f"{lab.name}  {lab.inventory}  ({whose})")
        for name, address, on in lab.hosts:
            click.echo(f"  {name}  {address}  {'on' if on else 'off'}")
    if not found:
        click.echo("There is no laboratory.")


def _status_as_data(lab: Status) -> dict[str, object]:
    hosts = [{"name": name, "address": address, "is_on": on} for name, address, on in lab.hosts]
    about = {"name": lab.name, "inventory": lab.inventory, "hosts": hosts}
    return {**about, "owner": lab.owner, "is_stale": lab.is_stale, "error": lab.error}
