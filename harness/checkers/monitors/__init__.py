"""Exact judges of unambiguous histories, near-linear in the number of operations."""
