"""Hosts: which there are, how they are reached, what runs and lies on them."""
