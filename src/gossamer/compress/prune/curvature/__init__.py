"""Second derivatives: where they come from, and what follows for the weights that stay."""
