"""What a member's disk remembers, against the model of its storage."""
