"""What a run needs while it goes on: who works, watches, writes down and ends what is left."""
