"""Clustering: layers whose weights share a few values."""
