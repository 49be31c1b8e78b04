"""Dense blocks from sparse matrices: orders of channels in which nonzeros stand together."""
