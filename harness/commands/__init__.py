"""What people type: the harness's commands, each with its options and examples."""
