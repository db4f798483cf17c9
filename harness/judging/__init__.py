"""`delphic check FILE`: any history, from its file to a verdict that shows why."""
