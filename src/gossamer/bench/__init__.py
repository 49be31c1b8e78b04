"""Measuring: the timing protocol, rival engines as adapters, records, accuracy on arrays."""
