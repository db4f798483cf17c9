"""Runs in a browser: browse, filter, compare, watch, download. Reads files only, changes none."""
