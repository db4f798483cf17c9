"""Columns of the table of steps: what the kernel reads of each, side by side."""

LOCAL, NOTE, COST, FLAG, FIRST, SENDS, MESSAGE, SPECIAL, CHANGED, NODE = range(10)
WIDTH = 16
"""One cache line of int32.

LOCAL: the local state after. NOTE, COST: ids, 0 for none. FLAG: BAD or HIT. FIRST, SENDS: its
messages in `sends`. MESSAGE: what a delivery takes, or -1. SPECIAL: not zero where NOTE, COST or
FLAG is not. CHANGED: the local state differs, or SPECIAL. NODE: the actor.
"""
