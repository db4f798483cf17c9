"""The Raft core against `model/raft_built.py`."""
