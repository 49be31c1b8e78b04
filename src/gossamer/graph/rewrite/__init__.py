"""Exact rewrites, one a file: each takes a graph and returns one with the same outputs."""
