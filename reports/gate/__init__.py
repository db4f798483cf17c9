"""What a gate found, for CI: test cases, alerts, annotations and a job's summary."""
