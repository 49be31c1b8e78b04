"""Weights that are not given bit for bit, but to be found: few bytes, little change of outputs."""
