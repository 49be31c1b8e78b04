"""Hold each weight in the form that its values suggest: codebook, sparse or dense."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph
from gossamer.graph.layouts import Codebook, Dense, Layout, Quantised, Sparse

LARGEST_CODEBOOK = 256
LEAST_READERS = 4
LEAST_SPARSITY = 0.3


def choose_layouts(graph: Graph) -> Graph:
    """Return the graph with the layout of each weight chosen by `choose_layout`; values stay.

    Quantised weights stay as they are: their integers are what they are for.
    """
    weights = {
        name: layout if isinstance(layout, Quantised) else choose_layout(layout.to_dense())
        for name, layout in graph.weights.items()
    }
    return replace(graph, weights=weights)


def choose_layout(array: np.ndarray) -> Layout:
    """Return the layout that suits the values of a float32 weight.

    A codebook if the nonzero values are at most 256 distinct ones, each used four times or more on
    average; otherwise sparse if at least 30 % are zero; otherwise dense. Vectors stay dense.

    Examples:
        >>> choose_layout(np.eye(4, dtype=np.float32)).kind
        'codebook'
        >>> choose_layout(np.diag(np.arange(4.0))).kind
        'sparse'
    """
    if array.ndim < 2:
        return Dense(array)
    if has_few_values(array):
        return Codebook.from_dense(array)
    sparsity = 1 - np.count_nonzero(array) / array.size if array.size else 0.0
    return Sparse.from_dense(array) if sparsity >= LEAST_SPARSITY else Dense(array)


def has_few_values(array: np.ndarray) -> bool:
    """Whether the nonzero entries share so few values that a codebook is worth its table."""
    nonzero = array[array != 0]
    if len(np.unique(nonzero[: 16 * LARGEST_CODEBOOK])) > LARGEST_CODEBOOK:
        return False  # the common case, without sorting a large weight
    distinct = len(np.unique(nonzero))
    return 0 < distinct <= min(LARGEST_CODEBOOK, nonzero.size // LEAST_READERS)
