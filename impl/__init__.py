"""The real thing: data nodes with sockets, disks and clocks. Knows nothing of the model."""
