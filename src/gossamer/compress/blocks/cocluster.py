"""Spectral co-clustering: rows and columns that belong together, found at once."""

from __future__ import annotations

import warnings

import numpy as np


def cocluster(mask: np.ndarray, clusters: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a cluster for each row and each column.

    The matrix is seen as a bipartite graph; its cut, normalised, is least where singular vectors of
    the matrix D₁^(−½)·A·D₂^(−½) are clustered by k-means.

    Source: Dhillon, "Co-clustering documents and words using bipartite spectral graph
    partitioning", 2001; as scikit-learn has it.

    Args:
        mask: (n, M) bool.
        clusters: how many, ≥ 1; no more than there are different rows.
        seed: of the singular vectors and of k-means.

    Returns:
        Clusters of the rows (n,) and of the columns (M,), 0 … clusters − 1; −1 for what is empty.

    Examples:
        >>> mask = np.kron(np.eye(2, dtype=bool), np.ones((2, 3), bool))
        >>> rows, columns = cocluster(mask, 2)
        >>> bool(rows[0] == rows[1] == columns[0] != rows[2])
        True
    """
    from sklearn.cluster import SpectralCoclustering
    from sklearn.exceptions import ConvergenceWarning

    row_cluster, column_cluster = (np.full(size, -1) for size in mask.shape)
    rows, columns = mask.any(1), mask.any(0)
    filled = mask[rows][:, columns]
    clusters = min(clusters, len(np.unique(filled, axis=0)), *filled.shape)
    if clusters < 2:
        row_cluster[rows], column_cluster[columns] = 0, 0
        return row_cluster, column_cluster
    found = SpectralCoclustering(clusters, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer clusters than asked are fine
        found.fit(filled.astype(np.float64))
    row_cluster[rows], column_cluster[columns] = found.row_labels_, found.column_labels_
    return row_cluster, column_cluster
