"""Raft: a core without I/O, its write-ahead log, and the group that drives them."""
