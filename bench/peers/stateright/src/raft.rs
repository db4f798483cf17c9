//! Delphic's bounded Raft group (model/raft.py): states, messages, and what each event does.
//!
//! Three members; every step writes the disk before its messages leave. The network is a soup: a
//! message once sent stays deliverable. A log is a list of terms; the first of a term is a no-op.

use std::hash::{Hash, Hasher};

pub const MEMBERS: usize = 3;
pub const MAJORITY: u32 = 2;
const NOBODY: u8 = 0xff;

/// At most seven terms, in eight bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    length: u8,
    terms: [u8; 7],
}

impl Log {
    pub fn len(&self) -> u8 {
        self.length
    }

    pub fn terms(&self) -> &[u8] {
        &self.terms[..self.length as usize]
    }

    /// The term of entry `index`; 0 before the log.
    pub fn term_at(&self, index: u8) -> u8 {
        if index == 0 {
            0
        } else {
            self.terms()[index as usize - 1]
        }
    }

    pub fn last_term(&self) -> u8 {
        self.term_at(self.length)
    }

    pub fn prefix(&self, length: u8) -> Log {
        let mut cut = Log { length, ..*self };
        cut.terms[length as usize..].fill(0);
        cut
    }

    pub fn push(&mut self, term: u8) {
        self.terms[self.length as usize] = term;
        self.length += 1;
    }

    pub fn begins(&self, other: &Log) -> bool {
        other.terms().starts_with(self.terms())
    }

    /// How many entries are clients' requests.
    fn requests(&self) -> u8 {
        let terms = self.terms();
        terms.windows(2).filter(|pair| pair[0] == pair[1]).count() as u8
    }

    fn word(&self) -> u64 {
        let t = self.terms;
        u64::from_le_bytes([self.length, t[0], t[1], t[2], t[3], t[4], t[5], t[6]])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Follower,
    Candidate,
    Leader,
}

/// One member. Term, vote and log are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub log: Log,
    pub term: u8,
    pub vote: u8,
    pub role: Role,
    pub commit: u8,
    pub votes: u8,
    pub next: [u8; MEMBERS],
    pub matched: [u8; MEMBERS],
}

impl Member {
    fn recovered(term: u8, vote: u8, log: Log) -> Member {
        Member {
            log,
            term,
            vote,
            role: Role::Follower,
            commit: 0,
            votes: 0,
            next: [0; MEMBERS],
            matched: [0; MEMBERS],
        }
    }

    fn follow(&mut self, term: u8) {
        let vote = if term == self.term { self.vote } else { NOBODY };
        let commit = self.commit;
        *self = Member { commit, ..Member::recovered(term, vote, self.log) };
    }

    fn is_up_to_date(&self, last_term: u8, last_index: u8) -> bool {
        (last_term, last_index) >= (self.log.last_term(), self.log.len())
    }

    /// Commit by counting, and only entries of the leader's own term.
    fn advance(&mut self, me: usize) {
        let reached = |n: u8| (0..MEMBERS).filter(|&j| j == me || self.matched[j] >= n).count();
        let counted = |&n: &u8| {
            self.log.term_at(n) == self.term && reached(n) >= MAJORITY as usize
        };
        if let Some(n) = (self.commit + 1..=self.log.len()).rev().find(counted) {
            self.commit = n;
        }
    }
}

impl Hash for Member {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let (n, m) = (self.next, self.matched);
        hasher.write_u64(self.log.word());
        hasher.write_u128(u128::from_le_bytes([
            self.term, self.vote, self.role as u8, self.commit, self.votes, n[0], n[1], n[2], m[0],
            m[1], m[2], 0, 0, 0, 0, 0,
        ]));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Vote { last_term: u8, last_index: u8 },
    Voted { granted: bool },
    /// `entry`: 0 is none, which makes a heartbeat.
    Append { prev: u8, prev_term: u8, entry: u8, commit: u8 },
    Appended { success: bool, matched: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub src: u8,
    pub dst: u8,
    pub term: u8,
    pub body: Body,
}

/// A message in one word: kind, ends and term in the low half, the body's fields above.
impl Message {
    pub fn pack(self) -> u32 {
        let (kind, a, b, c, d) = match self.body {
            Body::Vote { last_term, last_index } => (0, last_term, last_index, 0, 0),
            Body::Voted { granted } => (1, granted as u8, 0, 0, 0),
            Body::Append { prev, prev_term, entry, commit } => (2, prev, prev_term, entry, commit),
            Body::Appended { success, matched } => (3, success as u8, matched, 0, 0),
        };
        [kind, self.src, self.dst, self.term, a, b, c, d]
            .iter()
            .rev()
            .fold(0, |word, &field| word << 4 | u32::from(field))
    }

    pub fn unpack(word: u32) -> Message {
        let field = |at: u32| (word >> (4 * at)) as u8 & 15;
        let body = match field(0) {
            0 => Body::Vote { last_term: field(4), last_index: field(5) },
            1 => Body::Voted { granted: field(4) != 0 },
            2 => Body::Append {
                prev: field(4),
                prev_term: field(5),
                entry: field(6),
                commit: field(7),
            },
            _ => Body::Appended { success: field(4) != 0, matched: field(5) },
        };
        Message { src: field(1), dst: field(2), term: field(3), body }
    }
}

/// Ghost: who won which term (a bit per member); the longest log known to be committed; for each of
/// its entries the least term in which anybody knew it to be committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ghost {
    pub winners: [u8; 4],
    pub committed: Log,
    pub since: Log,
}

impl Ghost {
    fn learn(&mut self, prefix: Log, term: u8) {
        let known = self.since.len();
        for at in 0..prefix.len().min(known) as usize {
            self.since.terms[at] = self.since.terms[at].min(term);
        }
        if prefix.len() > known {
            self.committed = prefix;
            (known..prefix.len()).for_each(|_| self.since.push(term));
        }
    }
}

impl Hash for Ghost {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u32(u32::from_le_bytes(self.winners));
        hasher.write_u64(self.committed.word());
        hasher.write_u64(self.since.word());
    }
}

/// The whole group. `soup` is sorted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub members: [Member; MEMBERS],
    pub ghost: Ghost,
    pub crashes: u8,
    pub soup: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Timeout(usize),
    Request(usize),
    Crash(usize),
    Replicate(usize, usize),
    Receive(u32),
}

/// What one event does to one member: its next state, one or two messages, and the ghost's news.
pub struct Step {
    pub member: Member,
    pub sends: [Option<Message>; MEMBERS],
    pub elected: bool,
}

impl Step {
    fn quiet(member: Member) -> Option<Step> {
        Some(Step { member, sends: [None; MEMBERS], elected: false })
    }

    fn saying(member: Member, message: Message) -> Option<Step> {
        Some(Step { member, sends: [Some(message), None, None], elected: false })
    }
}

impl State {
    pub fn initial(crashes: u8) -> State {
        State {
            members: [Member::recovered(1, NOBODY, Log::default()); MEMBERS],
            ghost: Ghost::default(),
            crashes,
            soup: Vec::new(),
        }
    }

    /// The state after `step` of member `me`; None, if nothing changed.
    pub fn after(&self, me: usize, step: Step) -> Option<State> {
        let before = &self.members[me];
        let fresh = |m: Message| Some(m.pack()).filter(|word| self.soup.binary_search(word).is_err());
        let sends = step.sends.map(|message| message.and_then(fresh));
        let count = sends.iter().flatten().count();
        if count == 0 && step.member == *before {
            return None;
        }
        let mut soup = Vec::with_capacity(self.soup.len() + count);
        soup.extend_from_slice(&self.soup);
        for word in sends.into_iter().flatten() {
            soup.insert(soup.partition_point(|&other| other < word), word);
        }
        let mut after = State { soup, ..self.but_soup() };
        after.members[me] = step.member;
        if step.elected {
            after.ghost.winners[step.member.term as usize] |= 1 << me;
        }
        if step.member.commit > before.commit {
            after.ghost.learn(step.member.log.prefix(step.member.commit), step.member.term);
        }
        Some(after)
    }

    /// Everything but the messages, which the caller copies with room for more.
    fn but_soup(&self) -> State {
        State { soup: Vec::new(), members: self.members, ghost: self.ghost, crashes: self.crashes }
    }

    pub fn timeout(&self, me: usize) -> Option<Step> {
        let mut s = self.members[me];
        s.term += 1;
        (s.vote, s.role, s.votes) = (me as u8, Role::Candidate, 1 << me);
        let body = Body::Vote { last_term: s.log.last_term(), last_index: s.log.len() };
        let sends = std::array::from_fn(|j| {
            (j != me).then_some(Message { src: me as u8, dst: j as u8, term: s.term, body })
        });
        Some(Step { member: s, sends, elected: false })
    }

    pub fn may_request(&self, me: usize, entries: u8) -> bool {
        let s = &self.members[me];
        s.role == Role::Leader && s.log.requests() < entries
    }

    pub fn request(&self, me: usize) -> Option<Step> {
        let mut s = self.members[me];
        s.log.push(s.term);
        Step::quiet(s)
    }

    /// One entry at a time; without one, a heartbeat.
    pub fn replicate(&self, me: usize, peer: usize) -> Option<Step> {
        let s = self.members[me];
        let prev = s.next[peer] - 1;
        let (entry, up_to) =
            if prev < s.log.len() { (s.log.term_at(prev + 1), prev + 1) } else { (0, prev) };
        let (prev_term, commit) = (s.log.term_at(prev), s.commit.min(up_to));
        let body = Body::Append { prev, prev_term, entry, commit };
        Step::saying(s, Message { src: me as u8, dst: peer as u8, term: s.term, body })
    }

    pub fn crash(&self, me: usize) -> Option<State> {
        let s = self.members[me];
        let back = Member::recovered(s.term, s.vote, s.log);
        let mut after = self.after(me, Step::quiet(back)?)?;
        after.crashes -= 1;
        Some(after)
    }

    /// A newer term makes a follower that has not voted.
    pub fn receive(&self, m: Message) -> Option<Step> {
        let mut s = self.members[m.dst as usize];
        let newer = m.term > s.term;
        if newer {
            s.follow(m.term);
        }
        let step = match m.body {
            Body::Vote { last_term, last_index } => on_vote(s, m, last_term, last_index),
            Body::Voted { granted } => on_voted(s, m, granted),
            Body::Append { .. } => on_append(s, m),
            Body::Appended { success, matched } => on_appended(s, m, success, matched),
        };
        step.or_else(|| if newer { Step::quiet(s) } else { None })
    }
}

fn reply(s: &Member, m: Message, body: Body) -> Message {
    Message { src: m.dst, dst: m.src, term: s.term, body }
}

fn on_vote(mut s: Member, m: Message, last_term: u8, last_index: u8) -> Option<Step> {
    let free = s.vote == NOBODY || s.vote == m.src;
    let granted = m.term == s.term && free && s.is_up_to_date(last_term, last_index);
    if granted {
        s.vote = m.src;
    }
    Step::saying(s, reply(&s, m, Body::Voted { granted }))
}

fn on_voted(mut s: Member, m: Message, granted: bool) -> Option<Step> {
    if s.role != Role::Candidate || !granted || m.term != s.term {
        return None;
    }
    s.votes |= 1 << m.src;
    if s.votes.count_ones() < MAJORITY {
        return Step::quiet(s);
    }
    (s.role, s.votes, s.next) = (Role::Leader, 0, [s.log.len() + 1; MEMBERS]);
    s.log.push(s.term);
    Some(Step { member: s, sends: [None; MEMBERS], elected: true })
}

fn on_append(mut s: Member, m: Message) -> Option<Step> {
    let Body::Append { prev, prev_term, entry, commit } = m.body else {
        return None;
    };
    if m.term < s.term {
        return Step::saying(s, reply(&s, m, Body::Appended { success: false, matched: 0 }));
    }
    if s.role == Role::Leader {
        return None;
    }
    s.follow(s.term);
    if prev != 0 && !(prev <= s.log.len() && s.log.term_at(prev) == prev_term) {
        let matched = s.log.len().min(prev - 1);
        return Step::saying(s, reply(&s, m, Body::Appended { success: false, matched }));
    }
    // An existing entry gives way only to one of another term, and all after it.
    if entry != 0 && !(prev < s.log.len() && s.log.term_at(prev + 1) == entry) {
        s.log = s.log.prefix(prev);
        s.log.push(entry);
    }
    let matched = prev + u8::from(entry != 0);
    s.commit = s.commit.max(commit.min(matched));
    Step::saying(s, reply(&s, m, Body::Appended { success: true, matched }))
}

fn on_appended(mut s: Member, m: Message, success: bool, matched: u8) -> Option<Step> {
    if s.role != Role::Leader || m.term != s.term {
        return None;
    }
    let j = m.src as usize;
    if success {
        s.matched[j] = s.matched[j].max(matched);
        s.next[j] = s.next[j].max(s.matched[j] + 1);
    } else {
        s.next[j] = (s.matched[j] + 1).max((s.next[j] - 1).min(matched + 1));
    }
    s.advance(m.dst as usize);
    Step::quiet(s)
}
