"""Judges of replication between clusters: what must, may and must not reach a slave."""
