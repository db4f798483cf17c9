//! Explore Delphic's bounded Raft group with Stateright: raft-peer TERMS ENTRIES CRASHES; JSON.

mod promises;
mod raft;

use raft::{Action, Message, Role, State, MEMBERS};
use stateright::{Checker, Model, Property};

/// The bounds, as of model/raft.py.
struct Raft {
    terms: u8,
    entries: u8,
    crashes: u8,
}

impl Model for Raft {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::initial(self.crashes)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (i, s) in state.members.iter().enumerate() {
            if s.role == Role::Leader {
                let peers = (0..MEMBERS).filter(|&j| j != i);
                actions.extend(peers.map(|j| Action::Replicate(i, j)));
            } else if s.term < self.terms {
                actions.push(Action::Timeout(i));
            }
            if state.may_request(i, self.entries) {
                actions.push(Action::Request(i));
            }
            if state.crashes > 0 {
                actions.push(Action::Crash(i));
            }
        }
        actions.extend(state.soup.iter().map(|&word| Action::Receive(word)));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        match action {
            Action::Timeout(i) => state.after(i, state.timeout(i)?),
            Action::Request(i) => state.after(i, state.request(i)?),
            Action::Replicate(i, j) => state.after(i, state.replicate(i, j)?),
            Action::Crash(i) => state.crash(i),
            Action::Receive(word) => {
                let message = Message::unpack(word);
                state.after(message.dst as usize, state.receive(message)?)
            }
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("election safety", |_, s| promises::election_safety(s)),
            Property::always("log matching", |_, s| promises::log_matching(s)),
            Property::always("state machine safety", |_, s| promises::state_machine_safety(s)),
            Property::always("leader completeness", |_, s| promises::leader_completeness(s)),
            Property::always("matches are true", |_, s| promises::matches_are_true(s)),
            Property::always("committed is durable", |_, s| promises::committed_is_durable(s)),
        ]
    }
}

fn main() {
    let asked: Vec<u8> = std::env::args()
        .skip(1)
        .map(|word| word.parse().expect("bounds are small numbers"))
        .collect();
    let [terms, entries, crashes] = asked[..] else {
        panic!("raft-peer TERMS ENTRIES CRASHES");
    };
    assert!(terms <= 3 && terms - 1 + entries <= 7, "logs hold seven entries, of terms up to 3");
    let checker = Raft { terms, entries, crashes }.checker().threads(1).spawn_bfs().join();
    checker.assert_properties();
    println!(
        "{{\"states\": {}, \"transitions\": {}, \"depth\": {}}}",
        checker.unique_state_count(),
        checker.state_count() - 1,
        checker.max_depth()
    );
}
