"""Graph → Program: where values lie, which kernel runs each operator, and how it is written."""
