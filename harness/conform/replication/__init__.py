"""The cores of replication against model/replication.py."""
