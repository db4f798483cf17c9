"""Exact judges of transactions: what depends on what, and where that goes in a circle."""
