"""The page of one run: what its directory says, section by section."""
