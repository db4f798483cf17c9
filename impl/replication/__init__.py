"""Asynchronous replication between clusters: what a master queues, a slave executes."""
