//! What the group promises, in every state.

use crate::raft::{Role, State, MAJORITY, MEMBERS};

/// At most one leader in a term, ever.
pub fn election_safety(state: &State) -> bool {
    state.ghost.winners.iter().all(|who| who.count_ones() <= 1)
}

/// Equal term at an index: equal logs up to there.
pub fn log_matching(state: &State) -> bool {
    let logs = state.members.map(|s| s.log);
    pairs().all(|(i, j)| {
        let (a, b) = (logs[i].terms(), logs[j].terms());
        let last = (0..a.len().min(b.len())).rev().find(|&n| a[n] == b[n]);
        last.is_none_or(|n| a[..n] == b[..n])
    })
}

/// Nobody commits what contradicts what anybody ever committed.
pub fn state_machine_safety(state: &State) -> bool {
    state.members.iter().all(|s| s.log.prefix(s.commit).begins(&state.ghost.committed))
}

/// A leader has what was committed in earlier terms.
pub fn leader_completeness(state: &State) -> bool {
    let ghost = &state.ghost;
    let leaders = || state.members.iter().filter(|s| s.role == Role::Leader);
    let owed = || ghost.committed.terms().iter().zip(ghost.since.terms()).enumerate();
    leaders().all(|s| {
        owed().all(|(at, (term, since))| *since >= s.term || s.log.terms().get(at) == Some(term))
    })
}

/// What a leader believes a peer to hold is on that peer's disk.
pub fn matches_are_true(state: &State) -> bool {
    state.members.iter().enumerate().filter(|(_, s)| s.role == Role::Leader).all(|(i, s)| {
        state.members.iter().enumerate().all(|(j, peer)| {
            i == j || peer.term > s.term || s.log.prefix(s.matched[j]).begins(&peer.log)
        })
    })
}

/// What is known to be committed is on a majority's disks.
pub fn committed_is_durable(state: &State) -> bool {
    state.members.iter().filter(|s| s.commit > 0).all(|s| {
        let known = s.log.prefix(s.commit);
        state.members.iter().filter(|peer| known.begins(&peer.log)).count() >= MAJORITY as usize
    })
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..MEMBERS).flat_map(|i| (i + 1..MEMBERS).map(move |j| (i, j)))
}
