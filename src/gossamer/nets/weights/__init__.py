"""Weights that were trained elsewhere, under names of their own."""

from gossamer.nets.weights.load import load_weights

__all__ = ["load_weights"]
