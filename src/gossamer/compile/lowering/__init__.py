"""Operators → steps: one file a kind of operator, over a common context."""
