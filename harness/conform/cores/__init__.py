"""Traces of replication's cores, replayed in model/replication.py."""
