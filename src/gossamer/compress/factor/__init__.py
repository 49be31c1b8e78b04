"""Layers as products of smaller ones, dense or structured."""
