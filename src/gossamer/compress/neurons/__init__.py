"""Neuron sparseness: activations that are zero, made so by penalties, thresholds and k winners."""
