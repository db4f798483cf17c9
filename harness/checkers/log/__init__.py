"""Histories of an append-only log: exact monitor, bounded search, durability, order."""
