"""Checks that watch the harness: each looks at several things, and the first that is wrong tells.

The mistake is installed while a guard looks. What it would notice anyway, where no mistake is
made, is a false alarm, or a real bug of the harness.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import UsageError
from ..plan import Plan
from ..prose import plural
from ..simulate.execute import simulate_plan
from ..verdict import Validity
from .mutants import installed
from .nouns import Budget, Bug, Caught, Family, Missed, Outcome, elsewhere


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something is wrong: who says so, and what."""

    by: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Guard:
    """A check on the harness. `look` yields once for each thing it looked at: None if all is well.

    `quiet` says why it may miss a mistake.
    """

    name: str
    about: str
    quiet: str
    look: Callable[[], Iterator[Noticed | None]]
    effort: str = "looks"
    chance: bool = False

    def blind(self, bug: Bug) -> str | None:
        return elsewhere(bug, Family.NOTHING, Family.HARNESS)

    def hunt(self, bug: Bug, budget: Budget) -> Outcome:
        began = time.process_time()
        looks = 0
        try:
            with installed(bug.name):
                for looks, noticed in enumerate(self.look(), start=1):
                    cpu_s = time.process_time() - began
                    if noticed is not None:
                        return Caught(noticed.by, noticed.sentence, looks, cpu_s)
                    if cpu_s > budget.seconds:
                        return Missed(f"{looks} looks noticed nothing.", cpu_s)
        except UsageError:
            raise  # a scenario that cannot be read is no news of the mistake
        except Exception as error:
            # A harness that falls over is noticed by everybody.
            name, cpu_s = type(error).__name__, time.process_time() - began
            return Caught(name, f"The harness fell over: {name}: {error}", looks + 1, cpu_s)
        all_of_them = f"All {plural(looks, 'look')} noticed nothing."
        reason = all_of_them if bug.family is Family.NOTHING else self.quiet
        return Missed(reason, time.process_time() - began)


def must_pass(plan: Plan) -> Noticed | None:
    """Run a world in which all is well; whoever objects to it has noticed something."""
    found = simulate_plan(plan).verdict
    for one in found.verdicts:
        if one.validity is not Validity.PASS:
            return Noticed(f"{one.checker} {one.validity}", f"{plan.scenario}: {one.sentence}")
    if found.exit_code or found.validity is not Validity.PASS:
        return Noticed("verdict", f"{plan.scenario}: {found.sentence}")
    return None


def must_fail(plan: Plan) -> Noticed | None:
    """Run a world in which a promise breaks; whoever does not see it is blind."""
    found = simulate_plan(plan).verdict
    if found.as_expected and found.validity is Validity.FAIL and not found.exit_code:
        return None
    return Noticed(f"{plan.scenario} {found.validity}", found.sentence)
