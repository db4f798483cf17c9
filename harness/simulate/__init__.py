"""A deterministic world in one process: virtual time, simulated network, disks and clocks."""
