"""A simulated run into a run directory, as if members had been processes."""

import msgspec

from ..errors import WorldError
from ..lifecycle import Finished, Order, Report, announce, concluded, open_run_directory
from ..running.journal import SEALED, TRACES, Journal, digest, digests
from ..running.progress import Progress
from .execute import simulate_plan


def execute_simulated(order: Order, show: Progress, report: Report) -> Finished:
    """Run a scenario in a simulated world. Raises WorldError where it cannot be written."""
    plan = order.plan
    run = open_run_directory(order)
    diary = Journal(run.journal)
    diary.write("planned")
    announce(plan, run, show)
    found = simulate_plan(plan)
    try:
        run.history.write_bytes(found.history)
        found.cluster.export(run)
    except OSError as error:
        raise WorldError(f"cannot write {error.filename or run.path}: {error.strerror}") from error
    ops = found.history.count(b"\n")
    ending = msgspec.to_builtins(found.ending)
    traces = {TRACES: digests(run.traces(plan.members))}
    diary.write(SEALED, sha256=digest(run.history), ops=ops, ending=ending, **traces)
    return concluded(order, Finished(run, found.verdict, found.world), diary, report)
