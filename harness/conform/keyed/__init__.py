"""The filter of key columns against its model."""
