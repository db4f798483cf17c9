"""The executable reference model: small state machines, checked exhaustively."""
