"""Scripts that other interpreters run, where gossamer is not installed."""
