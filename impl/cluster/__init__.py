"""Databases of partitioned tables: controllers decide, data nodes store."""
