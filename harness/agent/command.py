"""What the agent's file does when it is started: serve a run, or heal what runs left."""

import argparse
import sys
from pathlib import Path

from .capabilities import try_all
from .forgetful import forget
from .parts import UNDO
from .serve import serve
from .shaper import shape
from .tool import widen_path
from .undo import HEALED, heal


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="agent.pyz", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serving = verbs.add_parser("serve", help="serve a run until its harness hangs up")
    serving.add_argument("--run", required=True, help="the run's name")
    serving.add_argument("--lease", type=float, required=True, help="seconds", metavar="S")
    serving.add_argument("--spare-port", type=int, help="a TCP port that no fault may close")
    serving.add_argument("--no-loops", action="store_true", help="use no loop device")
    healing = verbs.add_parser("heal", help="undo what agents that are dead have left")
    verbs.add_parser("shape", help="hold packets back, for an agent")
    forgetting = verbs.add_parser("forget", help="be a disk that forgets, for an agent")
    forgetting.add_argument("--try", action="store_true", help="end when it is mounted")
    forgetting.add_argument("place", type=Path, help="where it is mounted, and kept")
    verbs.add_parser("try", help="try what can be done to the network, in a namespace for it")
    for each in (serving, healing):
        each.add_argument("--state", type=Path, required=True, help="folder of undo logs")
    said = parser.parse_args()
    widen_path()
    if said.verb == "shape":
        return shape()
    if said.verb == "forget":
        return forget(said.place, is_trial=getattr(said, "try"))
    if said.verb == "try":
        return try_all()
    if said.verb == "serve":
        state, loops = said.state.resolve(), not said.no_loops
        sys.exit(serve(state, said.run, said.lease, said.spare_port, has_loops=loops))
    done, failed = heal(said.state.resolve(), UNDO)
    for sentence in (*done, *failed, HEALED):
        print(sentence)  # noqa: T201 - what the command is asked for
    sys.exit(1 if failed else 0)
