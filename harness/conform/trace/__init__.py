"""Traces of real and simulated runs against the model: every step explained, or the first not."""
