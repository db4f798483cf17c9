"""Carries out the fault schedule: what is due, whom it hits, what holds, what it waits for."""
