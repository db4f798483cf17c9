"""Publishing and subscribing against their model."""
