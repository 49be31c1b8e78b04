"""Networks: building blocks (one a file) and families (one a file), looked up by name."""
