"""What histories of an append-only log say: exact monitor, bounded search, durability, order."""
