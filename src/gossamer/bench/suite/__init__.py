"""The suite: the networks, zeros and rivals that the runtime is judged by, measured row by row."""
