"""The front door: assembles the commands that the folders offer."""

import sys
import traceback

import click

from .harness import cli
from .harness.errors import DelphicError, ExitCode
from .reports.write import write


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="delphic")
def delphic() -> None:
    """Does a replicated system keep its promises?"""


for command in cli.commands(write):
    delphic.add_command(command)


def main() -> int:
    """Run one command. Errors of every kind become a sentence and an exit code here, only here."""
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
    except Exception:
        click.echo(
            f"{traceback.format_exc()}\nThis is a bug of Delphic: please report it.", err=True
        )
        return ExitCode.HARNESS


if __name__ == "__main__":
    sys.exit(main())
