"""The strong coder: one arithmetic code, whose probabilities are mixed from what came before."""
