"""What a data node can be asked, function by function."""
