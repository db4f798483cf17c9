"""A run that broke a promise, cut down to the smallest scenario that still breaks it."""
