"""Members on hosts that are reached over SSH: brought there, started, broken, brought home."""
