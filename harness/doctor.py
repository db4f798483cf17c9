"""The command `doctor`: whether hosts can be used, and for a given scenario."""

import asyncio

import click

from . import shipped
from .errors import ExitCode, WorldError
from .hosts import trust
from .hosts.doctor import Examined, Grade, examine
from .hosts.inventory import Inventory, load
from .scenario import Scenario
from .scenario import load as load_scenario
from .targets.remote.survey import survey
from .targets.target import Capability

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
@click.pass_context
def doctor_command(
    context: click.Context, hosts: str, trusting: bool, scenario: str | None
) -> None:
    """Check that the hosts of an inventory have what runs need, and say what is missing.

    Exit code: 0 all there, 2 a mistake in the inventory, 4 something is missing.
    """
    inventory = load(hosts)
    wanted = None if scenario is None else load_scenario(*shipped.text_of(scenario))
    if trusting:
        _trust(inventory)
    found = asyncio.run(examine(inventory))
    for one in found:
        _show(one)
    healthy = not any(one.is_bad for one in found)
    if wanted is not None:
        healthy = _show_needs(wanted, inventory, found) and healthy
    click.echo("All there." if healthy else "Something is missing.")
    context.exit(ExitCode.AS_EXPECTED if healthy else ExitCode.WORLD)


def _trust(inventory: Inventory) -> None:
    """Pin what a person confirms; a key in place of another is never pinned here."""
    for entry in inventory.hosts:
        found = trust.shown(entry)
        if found.is_other:
            raise WorldError(
                f"its key is {found.fingerprint}, but pinned is {', '.join(found.pinned)}; "
                "if the host was made anew, remove the old key first",
                node=entry.name,
            )
        if found.is_known:
            click.echo(f"{entry.name}  {found.fingerprint} is pinned already")
            continue
        shown = f"{entry.name}  {entry.address} port {entry.port} shows the {found.key.get_name()}"
        click.echo(f"{shown} key\n  {found.fingerprint}")
        if click.confirm("  Is that the host's?"):
            click.echo(f"  pinned in {trust.record(found)}")


def _show(one: Examined) -> None:
    entry = one.entry
    click.echo(f"{entry.name}  {' '.join(entry.every_address)}")
    for finding in one.findings:
        grade = click.style(f"{finding.grade.value:4}", fg=_COLOURS[finding.grade])
        first, *more = finding.sentence.splitlines() or [""]
        click.echo(f"  {grade}  {finding.about:10} {first}")
        for line in more:
            click.echo(f"{'':19}{line}")


def _show_needs(scenario: Scenario, inventory: Inventory, found: list[Examined]) -> bool:
    """Whether the scenario's faults can be made on all hosts."""
    if any(one.lacks is None for one in found):
        click.echo(f"{scenario.name} cannot be checked: not every host has an agent.")
        return False
    try:
        can, reasons = asyncio.run(survey(inventory))
    except WorldError as error:
        click.echo(f"{scenario.name} cannot be checked: {error}")
        return False
    missing = sorted(scenario.needs() - can)
    for need in missing:
        reason = reasons.get(Capability(need), "no host can do that")
        click.echo(f"{scenario.name} needs {need}, which cannot be done: {reason}")
    if not missing:
        click.echo(f"{scenario.name} can run here.")
    return not missing
