"""Explore one bound with Delphic, on one worker; tell counts and processor time as JSON."""

import json
import sys
import time

from bounds import BOUNDS
from delphic.model.explore.explorer import explore
from delphic.model.explore.limits import Limits
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options


def main(name: str) -> None:
    """Safety only, as the peers do: the good phases of liveness are left out."""
    bound = next(bound for bound in BOUNDS if bound.name == name)
    safety, least = Limits(good_states=0), Options(terms=1, entries=0)
    explore(raft_group(least), workers=1, limits=safety)  # loads the kernels
    model = raft_group(Options(terms=bound.terms, entries=bound.entries), crashes=bound.crashes)
    began = time.process_time()
    result = explore(model, workers=1, limits=safety)
    explore_cpu_s = time.process_time() - began
    assert result.complete, result.violation or result.stopped_by
    told = {"states": result.states, "transitions": result.transitions}
    print(json.dumps(told | {"explore_cpu_s": explore_cpu_s}))


if __name__ == "__main__":
    main(sys.argv[1])
