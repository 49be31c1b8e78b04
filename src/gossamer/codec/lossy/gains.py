"""How much of an error in a layer's output comes out of the network."""

from __future__ import annotations

import numpy as np

from gossamer.codec.lossy.layer import coded_layers
from gossamer.codec.lossy.walk import dense_weights, linear_part, run_all, run_changed, run_node
from gossamer.graph import Graph, Node
from gossamer.graph.interpret import activate

_TRIED = 0.1
_LEAST = 1e-9


def output_gains(graph: Graph, images: np.ndarray, seed: int) -> dict[str, float]:
    """Return for each layer what its squared error, a mean over places, adds to the output's.

    Found by trying: the layer's weights get a random error of a tenth of their size, and what that
    adds to its output, less its mean, is passed on through the rest of the network.

    Args:
        graph: with layers.
        images: (N, C, H, W) float32, some dozens.
        seed: of the errors.

    Returns:
        Node name → squared change of the outputs of an image, summed / squared error of the layer's
        channels, summed; above 0.
    """
    rng = np.random.default_rng(seed)
    values = run_all(graph, images)
    return {node.name: _gain(graph, node, values, rng) for node in coded_layers(graph)}


def _gain(
    graph: Graph, node: Node, values: dict[str, np.ndarray], rng: np.random.Generator
) -> float:
    weights, inputs = dense_weights(node, graph.weights), [values[name] for name in node.inputs]
    plain = run_node(linear_part(node), inputs, weights)
    size = _TRIED * float(np.sqrt(np.mean(weights["weight"] ** 2)))
    wrong = {"weight": rng.normal(0, size, weights["weight"].shape).astype(np.float32)}
    wrong |= {"scale": weights["scale"]} if "scale" in weights else {}
    error = run_node(linear_part(node), inputs, wrong)
    places = (0, *range(2, error.ndim))
    error -= error.mean(axis=places, keepdims=True)
    squared = float((error.astype(np.float64) ** 2).mean(axis=places).sum())
    passed = activate(plain + error, node.op.activation)  # type: ignore[attr-defined]
    output = run_changed(graph, values, node.name, passed.astype(np.float32))
    change = (output.astype(np.float64) - values[graph.output]) ** 2
    total = float(change.reshape(len(output), -1).sum(axis=1).mean())
    return max(total, _LEAST) / squared if squared else _LEAST
