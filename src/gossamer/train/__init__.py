"""Training: one plain loop, recipes as data, data sets held in memory as 8-bit pixels."""
