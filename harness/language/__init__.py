"""What a scenario may say, and how it is read: every word of its YAML."""
