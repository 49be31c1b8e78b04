"""From files to inputs, and from outputs to the likeliest classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.errors import DataError, ShapeError
from gossamer.graph import Graph
from gossamer.graph.ops import Softmax


def read_input(path: Path, graph: Graph) -> np.ndarray:
    """Read a picture or a `.npy` array as the input of a network.

    Returns:
        (N, C, H, W) float32.

    Raises:
        DataError: if the file is missing or neither a picture nor an array of numbers, or if the
            network does not say how it takes pictures.
        ShapeError: if the network does not take an array of that shape.
    """
    if path.suffix == ".npy":
        array = _read_array(path)
    elif graph.record is None:
        raise DataError(
            "this network does not say how it takes pictures", where=path, hint="give .npy"
        )
    else:
        array = graph.record.read(path)
    if not graph.input.accepts(array.shape):
        raise ShapeError(
            "the network does not take this input",
            where=path,
            got="×".join(str(size) for size in array.shape),
            expected=str(graph.input),
        )
    return array


def _read_array(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError("no such file", where=path) from None
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError):
        raise DataError("not a .npy array", where=path) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise DataError(
            "not an array of numbers", where=path, got=getattr(array, "dtype", "archive")
        )
    with np.errstate(over="ignore"):  # what float32 does not hold is an infinity there
        return np.ascontiguousarray(array, np.float32)


def makes_probabilities(graph: Graph) -> bool:
    """Whether a network ends in a softmax."""
    return any(node.name == graph.output and isinstance(node.op, Softmax) for node in graph.nodes)


def classify(
    outputs: np.ndarray,
    names: Sequence[str],
    top: int,
    *,
    probabilities: bool = False,
    where: object = None,
) -> list[list[dict[str, Any]]]:
    """Return the `top` likeliest classes of each row, with the softmax of the row.

    Args:
        outputs: (N, classes), or (N, classes, 1, 1); logits, or the softmax itself.
        names: one a class, or empty to use the numbers.
        top: how many, ≥ 1.
        probabilities: whether the outputs are a softmax.
        where: the input that they are of, for messages.

    Raises:
        DataError: if an output is infinite or not a number.

    Examples:
        >>> classify(np.array([[0.0, 0.0]]), ("cat", "dog"), 1)
        [[{'class': 'cat', 'probability': 0.5}]]
    """
    scores = outputs.reshape(len(outputs), -1).astype(np.float64)
    if not np.isfinite(scores).all():
        raise DataError(
            "the network's output is not finite",
            where=where,
            hint="look for such numbers in the input",
        )
    powers = scores if probabilities else np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax = powers / powers.sum(axis=1, keepdims=True)
    labels = names if len(names) == scores.shape[1] else [str(i) for i in range(scores.shape[1])]
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        [{"class": labels[index], "probability": float(row[index])} for index in order]
        for row, order in zip(softmax, ranked, strict=True)
    ]
