"""`delphic explore MODEL --ui`: click through a model's states in the browser."""
