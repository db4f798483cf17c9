"""The promises of each model, and the ghosts that watch over time."""
