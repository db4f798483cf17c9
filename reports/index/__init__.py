"""Every run of a directory in one small database, which can be made again at any time."""
