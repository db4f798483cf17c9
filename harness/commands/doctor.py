"""The command `doctor`: whether hosts can be used, and for a given scenario."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import click

from .. import data
from ..errors import DelphicError, ExitCode, WorldError
from ..hosts import trust
from ..hosts.doctor import examine
from ..hosts.examined import Examined, Grade
from ..hosts.inventory import Inventory, load
from ..language import shipped
from ..scenario import Scenario
from ..scenario import load as load_scenario
from ..targets.remote.survey import survey
from ..targets.target import Capability

_COLOURS = {Grade.OK: "green", Grade.NOTE: "yellow", Grade.BAD: "red"}


@click.command("doctor")
@click.argument("hosts", metavar="HOSTS.yaml", type=click.Path(dir_okay=False))
@click.option(
    "--trust",
    "trusting",
    is_flag=True,
    help="First show the keys of hosts that are not known yet, and pin those that you confirm.",
)
@click.option("--scenario", metavar="NAME|FILE", help="Check for what this one needs, too.")
@data.AS_JSON
@click.pass_context
def doctor_command(
    context: click.Context, hosts: str, trusting: bool, scenario: str | None, as_json: bool
) -> None:
    """Check that the hosts of an inventory have what runs need, and say what is missing.

    Exit code: 0 all there, 2 a mistake in the inventory, 4 something is missing.
    """
    inventory = load(hosts)
    wanted = None if scenario is None else load_scenario(*shipped.text_of(scenario))
    if trusting:
        _trust(inventory, partial(click.echo, err=as_json), partial(click.confirm, err=as_json))
    found = asyncio.run(examine(inventory))
    needs = None if wanted is None else _needs(wanted, inventory, found)
    healthy = not any(one.is_bad for one in found) and (needs is None or needs.can_run)
    code = ExitCode.AS_EXPECTED if healthy else ExitCode.WORLD
    if as_json:
        data.show({"hosts": [_plain(one) for one in found], "scenario": needs}, code)
        context.exit(code)
    for one in found:
        _show(one)
    for sentence in () if needs is None else needs.said:
        click.echo(sentence)
    click.echo("All there." if healthy else "Something is missing.")
    context.exit(code)


def _trust(inventory: Inventory, say: Callable[[str], None], asks: Callable[[str], bool]) -> None:
    """Pin what a person confirms; a key in place of another is never pinned here.

    What is wrong with a host is said, and found again when it is examined.
    """
    for entry in inventory.hosts:
        try:
            found = trust.shown(entry)
        except (DelphicError, OSError) as error:
            say(f"{entry.name}  {getattr(error, 'message', None) or error}")
            continue
        if found.is_revoked:
            say(f"{entry.name}  its key {found.fingerprint} is revoked")
            continue
        if found.is_other:
            pinned = ", ".join(found.pinned)
            say(f"{entry.name}  its key is {found.fingerprint}, but pinned is {pinned};")
            say("  if the host was made anew, remove the old key first")
            continue
        if found.is_known:
            say(f"{entry.name}  {found.fingerprint} is pinned already")
            continue
        shown = f"{entry.name}  {entry.address} port {entry.port} shows the {found.key.get_name()}"
        say(f"{shown} key\n  {found.fingerprint}")
        if asks("  Is that the host's?"):
            say(f"  pinned in {trust.record(found)}")


def _show(one: Examined) -> None:
    entry = one.entry
    click.echo(f"{entry.name}  {' '.join(entry.every_address)}")
    for finding in one.findings:
        grade = click.style(f"{finding.grade.value:4}", fg=_COLOURS[finding.grade])
        first, *more = finding.sentence.splitlines() or [""]
        click.echo(f"  {grade}  {finding.about:10} {first}")
        for line in more:
            click.echo(f"{'':19}{line}")


def _plain(one: Examined) -> dict[str, object]:
    entry = one.entry
    addresses = entry.every_address
    return {"name": entry.name, "addresses": addresses, "findings": one.findings}


@dataclass(frozen=True, slots=True)
class Needs:
    """Whether the faults of a scenario can be made on all hosts, and sentences about it."""

    name: str
    can_run: bool
    said: list[str]


def _needs(scenario: Scenario, inventory: Inventory, found: list[Examined]) -> Needs:
    name = scenario.name
    if any(one.lacks is None for one in found):
        return Needs(name, False, [f"{name} cannot be checked: not every host has an agent."])
    try:
        can, reasons = asyncio.run(survey(inventory))
    except WorldError as error:
        return Needs(name, False, [f"{name} cannot be checked: {error}"])
    missing = {
        need: reasons.get(Capability(need), "no host can do that")
        for need in sorted(scenario.needs() - can)
    }
    said = [f"{name} needs {need}, which cannot be done: {why}" for need, why in missing.items()]
    return Needs(name, not missing, said or [f"{name} can run here."])
