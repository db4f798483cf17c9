"""What people type, by command: the end of every `--help`."""

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "aa": ("delphic aa --seeds 5",),
    "check": ("delphic check runs/latest", "delphic check history.edn --spec cas-register"),
    "completion": ('eval "$(delphic completion bash)"',),
    "conform": ("delphic conform --small", "delphic conform raft --small --bug vote-twice --first"),
    "coverage": ("delphic coverage --seeds 2 > docs/coverage.md",),
    "doctor": ("delphic doctor hosts.yaml --trust", "delphic doctor hosts.yaml --scenario drill"),
    "explore": (
        "delphic explore raft --bound terms=2 --bound entries=1",
        "delphic explore raft --mutant commit-old-term",
        "delphic explore raft --ui --open",
    ),
    "gate": ("delphic gate", "delphic gate --since origin/main --resume"),
    "heal": ("delphic heal", "delphic heal hosts.yaml"),
    "lab": ("delphic lab up --hosts 5", "delphic lab down"),
    "list": ("delphic list", "delphic list --json"),
    "promises": ("delphic promises > docs/promises.md",),
    "replay": ("delphic replay runs/latest --until 400 --state",),
    "report": ("delphic report runs/latest",),
    "run": (
        "delphic run quickstart",
        "delphic run mine.yaml --on sim --seed 7",
        "delphic run mine.yaml --on hosts.yaml --json > verdict.json",
    ),
    "schema": ("delphic schema > scenario.json", "delphic schema --markdown"),
    "serve": ("delphic serve runs --open",),
    "shell": ("delphic shell 127.0.0.1:18848",),
    "shrink": ("delphic shrink runs/latest",),
    "simulate": ("delphic simulate chaos --seeds 1..1000 --keep-going",),
    "suite": ("delphic suite --on lab --seeds 1..5 --jobs 2",),
    "suite-report": ("delphic suite-report runs --out suite.html",),
    "up": ("delphic up --new demo",),
    "zoo": ("delphic zoo stale-read", "delphic zoo --starts 5"),
}


def with_examples(command: click.Command, name: str) -> click.Command:
    """The command, whose help ends with what people type."""
    lines = "\n".join(f"  {line}" for line in EXAMPLES[name])
    command.epilog = f"\b\nExamples:\n{lines}"
    return command
