"""Where members live: on this machine, or in a simulated world."""
