"""Connectivity as mathematics: which channel reaches which, and which layer reads which."""
