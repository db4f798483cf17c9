"""What CI runs: every kind of check within one budget, one summary, one exit code."""
