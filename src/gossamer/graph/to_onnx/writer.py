"""The ONNX nodes of a graph's nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.errors import GraphError
from gossamer.graph.activations import slope_of
from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import (
    Activation,
    Add,
    AvgPool2d,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    KWinners,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Multiply,
    Quantise,
    ScaleShift,
    Softmax,
    Threshold,
)
from gossamer.graph.to_onnx.gelu import write_gelu
from gossamer.graph.to_onnx.levels import bias_grid, onnx_levels, weight_grid
from gossamer.graph.to_onnx.winners import keep_winners
from gossamer.graph.verify import infer_shapes

if TYPE_CHECKING:
    from onnx import NodeProto


class Writer:
    """Collects ONNX nodes and initialisers; values keep their names."""

    def __init__(self, onnx: Any, graph: Graph) -> None:
        self.onnx, self.graph = onnx, graph
        self.shapes = infer_shapes(graph)
        self.nodes: list[NodeProto] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._owner = "output"
        self._named: set[str] = set()

    def add(self, kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> None:
        """Add one ONNX node, named after the graph's node that it belongs to."""
        name = f"{self._owner}/{kind.lower()}" if self._owner in self._named else self._owner
        while name in self._named:
            name += "_"
        self._named.add(name)
        self.nodes.append(
            self.onnx.helper.make_node(kind, inputs, outputs, name=name, **attributes)
        )

    def initialiser(self, name: str, array: np.ndarray) -> str:
        """Keep an array under a name that no value has, and return the name."""
        while name in self.shapes or (
            name in self.arrays and not np.array_equal(self.arrays[name], array)
        ):
            name += "_"
        self.arrays[name] = array
        return name

    def weights(self, node: Node) -> list[str]:
        """Return the names of a layer's weight and bias, integers made real again."""
        grids = {"weight": weight_grid(self.graph, node)}
        if "bias" in node.weights:
            grids["bias"] = bias_grid(self.graph, node)
        return [
            self.named_weight(node, role) if grid is None else self._real(node, role, *grid)
            for role, grid in grids.items()
        ]

    def _real(self, node: Node, role: str, integers: np.ndarray, scales: np.ndarray) -> str:
        """Add what makes integers real with one scale for each output channel."""
        name, output = node.weights[role], f"{node.name}/{role}/real"
        parts = {"": integers, "/scale": scales, "/zero": np.zeros(len(scales), integers.dtype)}
        inputs = [self.initialiser(name + suffix, array) for suffix, array in parts.items()]
        self.add("DequantizeLinear", inputs, output, axis=0)
        return output

    def weight(self, node: Node, role: str) -> np.ndarray:
        """Return a weight, a scale kept apart multiplied into it."""
        array = self.graph.weights[node.weights[role]].to_dense()
        if role == "weight" and "scale" in node.weights:
            scale = self.graph.weights[node.weights["scale"]].to_dense()
            array = array * scale.reshape(-1, *(1,) * (array.ndim - 1))
        return array

    def named_weight(self, node: Node, role: str, shape: tuple[int, ...] | None = None) -> str:
        """Return the name of a weight's initialiser."""
        array = self.weight(node, role)
        return self.initialiser(
            node.weights[role], array if shape is None else array.reshape(shape)
        )

    def write(self, node: Node) -> None:
        """Add the ONNX nodes of one node."""
        self._owner = node.name
        activation = getattr(node.op, "activation", "identity")
        name = node.name if activation == "identity" else f"{node.name}/before_{activation}"
        self._operator(node, name)
        if activation != "identity":
            self._activate(name, activation, node.name)

    def _operator(self, node: Node, output: str) -> None:
        inputs = list(node.inputs)
        match node.op:
            case Conv2d() as op:
                weights = self.weights(node)
                window = {"strides": op.stride, "pads": op.padding, "dilations": op.dilation}
                self.add("Conv", [*inputs, *weights], output, group=op.groups, **window)
            case Linear():
                weights = self.weights(node)
                self.add("Gemm", [*inputs, *weights], output, transB=1)
            case ScaleShift():
                shape = (-1,) + (1,) * (len(self.shapes[node.name]) - 2)
                scaled = f"{output}/scaled"
                self.add("Mul", [*inputs, self.named_weight(node, "scale", shape)], scaled)
                self.add("Add", [scaled, self.named_weight(node, "shift", shape)], output)
            case Activation(function):
                self._activate(inputs[0], function, output)
            case Threshold():
                self._threshold(node, inputs[0], output)
            case KWinners() as op:
                keep_winners(self, inputs[0], op, output)
            case MaxPool2d() as op:
                self.add("MaxPool", inputs, output, dilations=op.dilation, **_window(op))
            case AvgPool2d() as op:
                counted = int(op.count_include_pad)
                self.add("AveragePool", inputs, output, count_include_pad=counted, **_window(op))
            case GlobalAvgPool():
                self.add("GlobalAveragePool", inputs, output)
            case Add():
                self.add("Add", inputs, output)
            case Concat():
                self.add("Concat", inputs, output, axis=1)
            case ChannelPermute(order):
                positions = self.initialiser(f"{output}/order", np.array(order, np.int64))
                self.add("Gather", [*inputs, positions], output, axis=1)
            case ChannelSelect(order):
                self._select(inputs[0], order, output)
            case Multiply():
                self._multiply(inputs, output)
            case LayerNorm():
                self._layer_norm(node, inputs[0], output)
            case Softmax():
                self.add("Softmax", inputs, output, axis=1)
            case LocalResponseNorm() as op:
                terms = {"alpha": op.alpha, "beta": op.beta, "bias": op.k}
                self._normalise(inputs[0], op.size, terms, output)
            case Quantise() as op:
                self._quantise(inputs[0], op, output)
            case Flatten():
                self.add("Flatten", inputs, output, axis=1)

    def _threshold(self, node: Node, source: str, output: str) -> None:
        """Cut off what is low; of one threshold for all channels ONNX has an operator."""
        thresholds = self.weight(node, "threshold")
        if (thresholds == thresholds[0]).all():
            self.add("ThresholdedRelu", [source], output, alpha=float(thresholds[0]))
            return
        shape = (-1,) + (1,) * (len(self.shapes[source]) - 2)
        limit = self.named_weight(node, "threshold", shape)
        zero = self.initialiser("threshold/zero", np.zeros((), np.float32))
        self.add("LessOrEqual", [source, limit], f"{output}/low")
        self.add("Where", [f"{output}/low", zero, source], output)

    def _select(self, source: str, order: Sequence[int], output: str) -> None:
        """Pick channels; a channel of zeros is put behind the others for −1."""
        if min(order) < 0:
            rank = len(self.shapes[source])
            ends = np.array([0] * (rank + 1) + [1] + [0] * (rank - 2), np.int64)
            padded = f"{output}/padded"
            self.add("Pad", [source, self.initialiser(f"{output}/ends", ends)], padded)
            order = [c if c >= 0 else self.shapes[source][1] for c in order]
            source = padded
        positions = self.initialiser(f"{output}/order", np.array(order, np.int64))
        self.add("Gather", [source, positions], output, axis=1)

    def _quantise(self, source: str, op: Quantise, output: str) -> None:
        """Round to levels and make them real again, clipped between if not all are used."""
        dtype, zero, *used = onnx_levels(op)
        scale = self.initialiser(f"{output}/scale", np.array(op.scale, np.float32))
        grid = [scale, self.initialiser(f"{output}/zero", np.array(zero, dtype))]
        levels = f"{output}/levels"
        self.add("QuantizeLinear", [source, *grid], levels)
        if used != [np.iinfo(dtype).min, np.iinfo(dtype).max]:
            bounds = [
                self.initialiser(f"{output}/{label}", np.array(bound, dtype))
                for label, bound in zip(("low", "high"), used, strict=True)
            ]
            self.add("Clip", [levels, *bounds], f"{output}/clipped")
            levels = f"{output}/clipped"
        self.add("DequantizeLinear", [levels, *grid], output)

    def _multiply(self, inputs: list[str], output: str) -> None:
        """Multiply; a factor a channel gets the axes that it lacks."""
        missing = np.arange(len(self.shapes[inputs[1]]), len(self.shapes[inputs[0]]))
        if len(missing):
            axes = self.initialiser(f"{output}/axes", missing)
            self.add("Unsqueeze", [inputs[1], axes], f"{output}/factor")
            inputs = [inputs[0], f"{output}/factor"]
        self.add("Mul", inputs, output)

    def _normalise(self, source: str, size: int, terms: dict[str, float], output: str) -> None:
        """Normalise over channels; ONNX defines it for an odd number of them like the graph."""
        if size % 2:
            self.add("LRN", [source], output, size=size, **terms)
            return
        raise GraphError("ONNX has no norm over an even number of channels", where=output)

    def _layer_norm(self, node: Node, source: str, output: str) -> None:
        """Normalise over channels, which ONNX wants last."""
        assert isinstance(node.op, LayerNorm)
        vectors = [self.named_weight(node, role) for role in ("scale", "shift")]
        if len(self.shapes[source]) == 2:
            self.add("LayerNormalization", [source, *vectors], output, epsilon=node.op.epsilon)
            return
        last, normed = f"{output}/channels_last", f"{output}/normed"
        self.add("Transpose", [source], last, perm=(0, 2, 3, 1))
        self.add("LayerNormalization", [last, *vectors], normed, epsilon=node.op.epsilon)
        self.add("Transpose", [normed], output, perm=(0, 3, 1, 2))

    def _activate(self, source: str, function: str, output: str) -> None:
        match function:
            case "relu":
                self.add("Relu", [source], output)
            case "relu6":
                low, high = (
                    self.initialiser(f"relu6/{label}", np.array(bound, np.float32))
                    for label, bound in (("low", 0), ("high", 6))
                )
                self.add("Clip", [source, low, high], output)
            case "sigmoid":
                self.add("Sigmoid", [source], output)
            case "tanh":
                self.add("Tanh", [source], output)
            case "silu":
                self.add("Sigmoid", [source], f"{output}/gate")
                self.add("Mul", [source, f"{output}/gate"], output)
            case "hard_sigmoid":
                self.add("HardSigmoid", [source], output, alpha=1 / 6, beta=0.5)
            case "hard_swish":
                self.add("HardSwish", [source], output)
            case "erf":
                self.add("Erf", [source], output)
            case "gelu" | "gelu_tanh":
                write_gelu(self, source, function, output)
            case "identity":
                self.add("Identity", [source], output)
            case _:
                self.add("LeakyRelu", [source], output, alpha=slope_of(function))


def _window(op: MaxPool2d | AvgPool2d) -> dict[str, Any]:
    return {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "pads": op.padding,
        "ceil_mode": int(op.ceil_mode),
    }
