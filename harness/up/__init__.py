"""A cluster to play with: its directory, its processes, who leads."""
