"""The exact network: operators, layouts of weights, the interpreter that defines them, rewrites."""

from gossamer.graph.graph import Graph, Input, Node
from gossamer.graph.interpret import interpret
from gossamer.graph.layouts import Codebook, Dense, Layout, Quantised, Sparse
from gossamer.graph.verify import infer_shapes, verify

__all__ = [
    "Codebook",
    "Dense",
    "Graph",
    "Input",
    "Layout",
    "Node",
    "Quantised",
    "Sparse",
    "infer_shapes",
    "interpret",
    "verify",
]
