"""A prompt: functions of a running cluster by their documented names."""
