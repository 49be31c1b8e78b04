"""Families of networks, one a file; each member is one `Network` record."""
