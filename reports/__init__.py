"""A run directory becomes pages, tables and machine-readable results."""
