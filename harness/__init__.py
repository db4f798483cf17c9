"""Scenarios in, runs made, verdicts out."""
