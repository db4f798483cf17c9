"""Histories in, verdicts out."""
