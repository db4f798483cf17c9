"""A group of one member, as a single controller is: it elects itself, and commits what it syncs."""

import pytest
from delphic.model.actor import Model
from delphic.model.explore.explorer import explore
from delphic.model.raft_built import built_group
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Disk, Fsync, Options, Own, Role

ALONE = Options(members=1, terms=3, entries=2, batch=1, reads=1)
EVERYTHING = Options(
    members=1, terms=3, entries=2, reads=1, checkpoints=1, prevote=True, quorum=True, sync=True
)


@pytest.mark.parametrize(
    ("model", "states"),
    [
        (raft_group(ALONE, crashes=1), 22),
        (raft_group(EVERYTHING, crashes=1), 177),
        (built_group(ALONE, unsynced=2, crashes=1), 114),
    ],
)
def test_every_promise_holds_in_a_group_of_one_and_everything_happens(
    model: Model, states: int
) -> None:
    """HS-1, HS-2, HS-4, HS-5, HS-22: also through a crash that loses what was not synced."""
    found = explore(model)
    assert found.holds, found.violation
    assert (found.complete, found.never_fired, found.unreached) == (True, (), ())
    assert all(each.stuck is None for each in found.eventually)
    assert found.states == states


def test_who_is_alone_leads_at_its_first_timeout_and_commits_what_its_disk_holds() -> None:
    model = built_group(ALONE)
    member = model.actors[0]
    led = member.step(member.recover(0, Disk()), Own.TIMEOUT)
    assert led is not None
    assert (led.state.role, led.state.term, led.state.log) == (Role.LEADER, 2, (2,))
    assert (led.sends, led.state.commit) == ((), 0)
    synced = member.step(led.state, Fsync(1))
    assert synced is not None
    assert synced.state.commit == 1
