"""Channel removal: what must go together, what goes, and cutting it out for good."""
