"""The front door: assembles the commands that the folders offer."""

import sys

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="delphic")
def main() -> None:
    """Does a replicated system keep its promises?"""


if __name__ == "__main__":
    sys.exit(main())
