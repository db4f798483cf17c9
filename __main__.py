"""The front door: assembles the commands that the folders offer."""

import errno
import os
import sys
import traceback
from importlib import import_module
from typing import Any, ClassVar

import click

from .harness.commands.examples import with_examples
from .harness.commands.streams import lasting
from .harness.errors import DelphicError, ExitCode, WorldError, worst_code
from .reports import judged
from .reports.gate import alerts, markdown
from .reports.gate.write import write as write_gate
from .reports.write import write

MADE_WITH = {
    "run": (write,),
    "check": (write, judged.render),
    "report": (write,),
    "simulate": (write,),
    "gate": (write, write_gate, alerts.github, markdown.render),
}
"""Commands that write reports, and what writes them: the harness knows no reports."""

NAME_SHOWN = 100
"""A name may be a whole text that stands where a name belongs."""


class FrontDoor(click.Group):
    """Commands whose imports are heavy are loaded when they are called, and only then.

    Compiling explorers and running nodes share no imports; `delphic run` must not wait for numba.
    """

    later: ClassVar[dict[str, tuple[str, str, str]]] = {
        "run": (
            ".harness.commands.cli",
            "run_command",
            "Run one scenario, check it, and write its report.",
        ),
        "check": (
            ".harness.commands.cli",
            "check_command",
            "Judge a run directory again, or any history: is there an order that explains it?",
        ),
        "report": (
            ".harness.commands.cli",
            "report_command",
            "Write the reports of a run directory again, as it was judged.",
        ),
        "schema": (
            ".harness.commands.cli",
            "schema_command",
            "Print the JSON Schema of scenarios, for editors.",
        ),
        "list": (
            ".harness.commands.cli",
            "list_command",
            "List the scenarios that come with Delphic.",
        ),
        "simulate": (
            ".harness.simulate.cli",
            "simulate_command",
            "Run one scenario in simulated worlds, one a seed, and check each.",
        ),
        "replay": (
            ".harness.simulate.cli",
            "replay_command",
            "Play the schedule of a simulated run again, and compare its history.",
        ),
        "completion": (
            ".harness.commands.completion",
            "completion_command",
            "Print what makes a shell complete commands, options and scenarios.",
        ),
        "explore": (
            ".harness.explorer.command",
            "explore_command",
            "Explore every reachable state of a model.",
        ),
        "shrink": (
            ".harness.shrink.command",
            "shrink_command",
            "Cut a run that broke a promise down to the smallest scenario that still does.",
        ),
        "conform": (
            ".harness.conform.cli",
            "conform_command",
            "Hold the implementation against its models, in every state and for every event.",
        ),
        "aa": (
            ".harness.zoo.aa_cli",
            "aa_command",
            "Scenarios without their faults: whatever is found then, the harness made up.",
        ),
        "zoo": (
            ".harness.zoo.cli",
            "zoo_command",
            "Every seeded mistake against every check: who finds it, how soon.",
        ),
        "coverage": (
            ".harness.conform.suite",
            "coverage_command",
            "Which of the model's steps the scenarios make, and which none does.",
        ),
        "gate": (
            ".harness.gate.command",
            "gate_command",
            "What CI runs: every kind of check within one budget, one exit code.",
        ),
        "up": (".harness.up.command", "up_command", "A cluster to play with, until Ctrl-C."),
        "shell": (
            ".harness.shell.command",
            "shell_command",
            "Call the functions of a running cluster by their documented names.",
        ),
        "suite": (
            ".harness.commands.suite",
            "suite_command",
            "Every scenario that a place can run, for several seeds.",
        ),
        "serve": (
            ".reports.serve.command",
            "serve_command",
            "Browse, compare, watch and download runs in a browser.",
        ),
        "suite-report": (
            ".reports.suite.command",
            "suite_report_command",
            "Many runs on one page: matrix, trends, promises, flaky ones.",
        ),
        "doctor": (
            ".harness.commands.doctor",
            "doctor_command",
            "Check that hosts have what runs need, and say what is missing.",
        ),
        "heal": (
            ".harness.commands.heal",
            "heal_command",
            "End what killed harnesses left running.",
        ),
        "lab": (".harness.lab.command", "lab_command", "Hosts on this machine, made in a moment."),
        "promises": (
            ".harness.judging.coverage",
            "promises_command",
            "Which check covers which promise.",
        ),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.later)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.later:
            return None
        module, name, _ = self.later[cmd_name]
        command = getattr(import_module(module, __package__), name)
        if cmd_name in MADE_WITH:
            command = command(*MADE_WITH[cmd_name])
        assert isinstance(command, click.Command)
        return with_examples(command, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, which makes exit code 1 of a broken pipe, that of a broken promise."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise WorldError(f"a process went away that was being talked to: {error}") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does, but without loading what is only listed."""
        said = sorted((name, text) for name, (_, _, text) in self.later.items())
        with formatter.section("Commands"):
            formatter.write_dl(said)


@click.group(cls=FrontDoor, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="delphic")
def delphic() -> None:
    """Does a replicated system keep its promises?"""


def main() -> int:
    """Run one command. Errors of every kind become a sentence and an exit code here, only here."""
    with lasting() as lost:
        code = _ended()
        if (why := lost()) is not None:
            click.echo(f"error: cannot write to standard output: {why}", err=True)
            code = worst_code([code, ExitCode.WORLD])
    return code


def _ended() -> int:
    """The exit code of one command."""
    if sys.flags.optimize:
        click.echo("error: Delphic relies on its assertions; run Python without -O", err=True)
        return ExitCode.USAGE
    try:
        return delphic.main(standalone_mode=False) or ExitCode.AS_EXPECTED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except DelphicError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; what there is can be checked with: delphic check RUN", err=True)
        return ExitCode.INCONCLUSIVE
    except OSError as error:
        click.echo(f"error: {_refused(error)}", err=True)
        return ExitCode.USAGE if error.errno == errno.ENAMETOOLONG else ExitCode.WORLD
    except Exception:
        click.echo(
            f"{traceback.format_exc()}\nThis is a bug of Delphic: please report it.", err=True
        )
        return ExitCode.HARNESS


def _refused(error: OSError) -> str:
    """What the system refused, where no better sentence was found."""
    why = error.strerror or str(error)
    if error.filename is None:
        return why
    name = os.fsdecode(error.filename) if not isinstance(error.filename, int) else "a stream"
    shown = name if len(name) <= NAME_SHOWN else f"{name[:NAME_SHOWN]!r}…"
    return f"{shown}: {why}"


if __name__ == "__main__":
    sys.exit(main())
