"""Compression: passes that make a network sparse and compact, and recipes made of them."""
