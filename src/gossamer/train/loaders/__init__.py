"""Loaders of data sets, one a file."""
