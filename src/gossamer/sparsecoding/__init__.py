"""Sparse coding: arrays in, arrays out, nothing of networks.

Signals are rows (N, m), as in scikit-learn; a dictionary is (m, K), an atom a column; sparse codes
are (N, K), so that signals ≈ codes · dictionaryᵀ. Inside, everything is float64.
"""
