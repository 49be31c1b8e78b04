"""Few bits: integer, ternary and binary weights, and inputs of layers on few levels."""
