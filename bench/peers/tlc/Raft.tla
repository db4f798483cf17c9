-------------------------------- MODULE Raft --------------------------------
(* Delphic's bounded model of a Raft group (model/raft.py), for TLC.          *)
(*                                                                            *)
(* Three members; no pre-vote, no check-quorum, no reads, no snapshots; every *)
(* step writes the disk before its messages leave. The network is a soup: a   *)
(* message once sent stays deliverable, which is loss, duplication and        *)
(* reordering without limit. A log is a sequence of terms; the first entry of *)
(* a term is its leader's no-op. Both models have the same distinct states.   *)

EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
    Terms,      \* no member begins an election in a term beyond this one
    Entries,    \* clients' requests in a leader's log, at most
    Crashes     \* crashes of any member, altogether

VARIABLES
    term, vote, log,                    \* durable
    role, commit, votes, next, match,   \* lost in a crash
    soup,                               \* every message ever sent
    crashes,                            \* crashes left
    winners, committed, since           \* ghosts, see Ghost below

durable  == <<term, vote, log>>
volatile == <<role, commit, votes, next, match>>
ghosts   == <<winners, committed, since>>
vars     == <<durable, volatile, soup, crashes, ghosts>>

Members  == 1..3
Majority == 2
Nobody   == 0
None     == <<0, 0, 0>>     \* next and match of a member that does not lead

Min(a, b) == IF a < b THEN a ELSE b
Max(a, b) == IF a > b THEN a ELSE b
TermAt(l, n) == IF n = 0 THEN 0 ELSE l[n]
LastTerm(l)  == TermAt(l, Len(l))
IsPrefix(a, b) == Len(a) <= Len(b) /\ \A n \in 1..Len(a) : a[n] = b[n]

Init ==
    /\ term = [i \in Members |-> 1]
    /\ vote = [i \in Members |-> Nobody]
    /\ log  = [i \in Members |-> <<>>]
    /\ role = [i \in Members |-> "follower"]
    /\ commit = [i \in Members |-> 0]
    /\ votes = [i \in Members |-> {}]
    /\ next  = [i \in Members |-> None]
    /\ match = [i \in Members |-> None]
    /\ soup = {}
    /\ crashes = Crashes
    /\ winners = {} /\ committed = <<>> /\ since = <<>>

(* Ghost: who won which term; the longest log known to be committed; for each *)
(* of its entries the least term in which anybody knew it to be committed.    *)

Elected(i) ==
    /\ winners' = winners \cup {<<term[i], i>>}
    /\ UNCHANGED <<committed, since>>

Learnt(known, prefix, t) ==     \* a member in term t that knew of less before
    IF Len(prefix) = known THEN UNCHANGED ghosts ELSE
    LET longest == IF Len(prefix) > Len(committed) THEN prefix ELSE committed IN
    /\ committed' = longest
    /\ since' = [n \in 1..Len(longest) |->
            IF n > Len(since) THEN t
            ELSE IF n <= Len(prefix) THEN Min(since[n], t) ELSE since[n]]
    /\ UNCHANGED winners

(* What a member does by itself.                                              *)

Timeout(i) ==
    /\ role[i] # "leader" /\ term[i] < Terms
    /\ term' = [term EXCEPT ![i] = @ + 1]
    /\ vote' = [vote EXCEPT ![i] = i]
    /\ role' = [role EXCEPT ![i] = "candidate"]
    /\ votes' = [votes EXCEPT ![i] = {i}]
    /\ soup' = soup \cup {[kind |-> "vote", src |-> i, dst |-> j, term |-> term[i] + 1,
            lastTerm |-> LastTerm(log[i]), lastIndex |-> Len(log[i])] : j \in Members \ {i}}
    /\ UNCHANGED <<log, commit, next, match, crashes, ghosts>>

Requests(l) == Len(l) - Cardinality({l[n] : n \in 1..Len(l)})

Request(i) ==
    /\ role[i] = "leader" /\ Requests(log[i]) < Entries
    /\ log' = [log EXCEPT ![i] = Append(@, term[i])]
    /\ UNCHANGED <<term, vote, volatile, soup, crashes, ghosts>>

Replicate(i, j) ==      \* one entry at a time; without one, a heartbeat
    /\ role[i] = "leader"
    /\ LET prev == next[i][j] - 1
           upTo == Min(prev + 1, Len(log[i])) IN
       soup' = soup \cup {[kind |-> "append", src |-> i, dst |-> j, term |-> term[i],
            prev |-> prev, prevTerm |-> TermAt(log[i], prev),
            entries |-> SubSeq(log[i], prev + 1, upTo), commit |-> Min(commit[i], upTo)]}
    /\ UNCHANGED <<durable, volatile, crashes, ghosts>>

Crash(i) ==     \* and restart: only what is durable is left
    /\ crashes > 0
    /\ role[i] # "follower" \/ commit[i] > 0
    /\ crashes' = crashes - 1
    /\ role' = [role EXCEPT ![i] = "follower"]
    /\ commit' = [commit EXCEPT ![i] = 0]
    /\ votes' = [votes EXCEPT ![i] = {}]
    /\ next' = [next EXCEPT ![i] = None]
    /\ match' = [match EXCEPT ![i] = None]
    /\ UNCHANGED <<durable, soup, ghosts>>

(* Messages. A newer term makes a follower that has not voted.                *)

IsNewer(m) == m.term > term[m.dst]
VoteIn(m)  == IF IsNewer(m) THEN Nobody ELSE vote[m.dst]

Adopt(i, t) == term' = IF t > term[i] THEN [term EXCEPT ![i] = t] ELSE term

Follow(i) ==
    /\ role' = [role EXCEPT ![i] = "follower"]
    /\ votes' = [votes EXCEPT ![i] = {}]
    /\ next' = [next EXCEPT ![i] = None]
    /\ match' = [match EXCEPT ![i] = None]

MayFollow(m) ==
    IF IsNewer(m) THEN Follow(m.dst) ELSE UNCHANGED <<role, votes, next, match>>

OnVote(m) ==
    LET i == m.dst
        upToDate == \/ m.lastTerm > LastTerm(log[i])
                    \/ m.lastTerm = LastTerm(log[i]) /\ m.lastIndex >= Len(log[i])
        granted == m.term >= term[i] /\ VoteIn(m) \in {Nobody, m.src} /\ upToDate IN
    /\ Adopt(i, m.term)
    /\ vote' = [vote EXCEPT ![i] = IF granted THEN m.src ELSE VoteIn(m)]
    /\ MayFollow(m)
    /\ soup' = soup \cup {[kind |-> "voted", src |-> i, dst |-> m.src,
            term |-> Max(term[i], m.term), granted |-> granted]}
    /\ UNCHANGED <<log, commit, crashes, ghosts>>

JustFollow(m) ==
    /\ Adopt(m.dst, m.term)
    /\ vote' = [vote EXCEPT ![m.dst] = Nobody]
    /\ Follow(m.dst)
    /\ UNCHANGED <<log, commit, soup, crashes, ghosts>>

Lead(i) ==      \* and open the term with a no-op
    /\ role' = [role EXCEPT ![i] = "leader"]
    /\ votes' = [votes EXCEPT ![i] = {}]
    /\ next' = [next EXCEPT ![i] = [j \in Members |-> Len(log[i]) + 1]]
    /\ log' = [log EXCEPT ![i] = Append(@, term[i])]
    /\ Elected(i)
    /\ UNCHANGED <<term, vote, commit, match, soup, crashes>>

OnVoted(m) ==
    LET i == m.dst IN
    IF IsNewer(m) THEN JustFollow(m) ELSE
    /\ role[i] = "candidate" /\ m.granted /\ m.term = term[i]
    /\ IF Cardinality(votes[i] \cup {m.src}) >= Majority THEN Lead(i) ELSE
       /\ votes' = [votes EXCEPT ![i] = @ \cup {m.src}]
       /\ UNCHANGED <<durable, role, commit, next, match, soup, crashes, ghosts>>

Reply(m, t, success, index) ==
    soup' = soup \cup {[kind |-> "appended", src |-> m.dst, dst |-> m.src, term |-> t,
        success |-> success, match |-> index]}

(* An existing entry gives way only to one of another term, and all after it. *)
Merged(l, m) ==
    IF m.entries = <<>> THEN l
    ELSE IF m.prev < Len(l) /\ l[m.prev + 1] = m.entries[1] THEN l
    ELSE Append(SubSeq(l, 1, m.prev), m.entries[1])

OnAppend(m) ==
    LET i == m.dst
        agreed == m.prev + Len(m.entries)
        fits == m.prev = 0 \/ (m.prev <= Len(log[i]) /\ log[i][m.prev] = m.prevTerm) IN
    IF m.term < term[i]
    THEN /\ Reply(m, term[i], FALSE, 0)
         /\ UNCHANGED <<durable, volatile, crashes, ghosts>>
    ELSE
    /\ IsNewer(m) \/ role[i] # "leader"
    /\ Adopt(i, m.term)
    /\ vote' = [vote EXCEPT ![i] = VoteIn(m)]
    /\ Follow(i)
    /\ UNCHANGED crashes
    /\ IF fits
       THEN LET l == Merged(log[i], m)
                c == Max(commit[i], Min(m.commit, agreed)) IN
            /\ log' = [log EXCEPT ![i] = l]
            /\ commit' = [commit EXCEPT ![i] = c]
            /\ Learnt(commit[i], SubSeq(l, 1, c), m.term)
            /\ Reply(m, m.term, TRUE, agreed)
       ELSE /\ Reply(m, m.term, FALSE, Min(Len(log[i]), m.prev - 1))
            /\ UNCHANGED <<log, commit, ghosts>>

(* Commit by counting, and only entries of the leader's own term.             *)
Advanced(i, matched) ==
    LET l == log[i]
        counted == {n \in (commit[i] + 1)..Len(l) :
            /\ l[n] = term[i]
            /\ Cardinality({j \in Members : j = i \/ matched[j] >= n}) >= Majority} IN
    IF counted = {} THEN commit[i] ELSE CHOOSE n \in counted : \A o \in counted : o <= n

OnAppended(m) ==
    LET i == m.dst  j == m.src IN
    IF IsNewer(m) THEN JustFollow(m) ELSE
    /\ role[i] = "leader" /\ m.term = term[i]
    /\ UNCHANGED <<durable, role, votes, soup, crashes>>
    /\ IF m.success
       THEN LET matched == [match[i] EXCEPT ![j] = Max(@, m.match)]
                c == Advanced(i, matched) IN
            /\ match' = [match EXCEPT ![i] = matched]
            /\ next' = [next EXCEPT ![i][j] = Max(@, matched[j] + 1)]
            /\ commit' = [commit EXCEPT ![i] = c]
            /\ Learnt(commit[i], SubSeq(log[i], 1, c), term[i])
       ELSE /\ next' = [next EXCEPT ![i][j] = Max(match[i][j] + 1, Min(@ - 1, m.match + 1))]
            /\ UNCHANGED <<match, commit, ghosts>>

Receive(m) ==
    CASE m.kind = "vote" -> OnVote(m)
      [] m.kind = "voted" -> OnVoted(m)
      [] m.kind = "append" -> OnAppend(m)
      [] m.kind = "appended" -> OnAppended(m)

Next ==
    \/ \E i \in Members :
        \/ Timeout(i) \/ Request(i) \/ Crash(i)
        \/ \E j \in Members \ {i} : Replicate(i, j)
    \/ \E m \in soup : Receive(m)

Spec == Init /\ [][Next]_vars

(* Promises.                                                                  *)

ElectionSafety ==       \* at most one leader in a term
    \A a, b \in winners : a[1] = b[1] => a[2] = b[2]

LogMatching ==          \* equal term at an index: equal logs up to there
    \A i, j \in Members : i < j =>
        \A n \in 1..Min(Len(log[i]), Len(log[j])) :
            log[i][n] = log[j][n] => \A k \in 1..n : log[i][k] = log[j][k]

StateMachineSafety ==   \* nobody commits what contradicts what anybody ever committed
    \A i \in Members : IsPrefix(SubSeq(log[i], 1, commit[i]), committed)

LeaderCompleteness ==   \* a leader has what was committed in earlier terms
    \A i \in Members : role[i] = "leader" =>
        \A n \in 1..Len(committed) : since[n] < term[i] =>
            n <= Len(log[i]) /\ log[i][n] = committed[n]

MatchesAreTrue ==       \* what a leader believes a peer to hold is on its disk
    \A i, j \in Members : role[i] = "leader" /\ i # j /\ term[j] <= term[i] =>
        IsPrefix(SubSeq(log[i], 1, match[i][j]), log[j])

CommittedIsDurable ==   \* what is known to be committed is on a majority's disks
    \A i \in Members : commit[i] > 0 =>
        LET known == SubSeq(log[i], 1, commit[i]) IN
        Cardinality({j \in Members : IsPrefix(known, log[j])}) >= Majority
=============================================================================
