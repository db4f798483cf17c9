"""High-availability stream tables over a Raft group."""
