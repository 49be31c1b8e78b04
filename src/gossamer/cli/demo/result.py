"""What the demo found, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gossamer.bench.record import Record
from gossamer.graph import Graph, infer_shapes
from gossamer.report.pictures import Part


@dataclass(frozen=True)
class Amounts:
    """How much of everything a network has; a file or a time is not part of it.

    Args:
        weights: entries of all convolution and linear weights as the network was designed, with
            zeros and with channels that were removed since.
        nonzeros: those that are not zero.
        macs: effective MACs for one image, those whose weight is not zero.
    """

    weights: int
    nonzeros: int
    macs: int

    @property
    def sparsity(self) -> float:
        """Fraction of zeros among the weights."""
        return 1 - self.nonzeros / self.weights


def count_amounts(graph: Graph, designed: Amounts | None = None) -> Amounts:
    """Count a graph at its example's size.

    Args:
        graph: to count.
        designed: of the dense network that the graph comes from, if it is another one.
    """
    shapes = infer_shapes(graph)
    layers = [(node, graph.weights[node.weights["weight"]]) for node in weighted_nodes(graph)]
    macs = [
        layout.nonzeros * node.op.macs(shapes[node.name], graph.weight_shapes(node)) // layout.size
        for node, layout in layers
    ]
    return Amounts(
        weights=designed.weights if designed else sum(layout.size for _, layout in layers),
        nonzeros=sum(layout.nonzeros for _, layout in layers),
        macs=sum(macs),
    )


def weighted_nodes(graph: Graph) -> list[Any]:
    """Return the convolutions and linear layers of a graph."""
    return [node for node in graph.nodes if "weight" in node.weights]


@dataclass(frozen=True)
class State:
    """One network before or after compression.

    Args:
        accuracy: on the test split, 0…1.
        parameters: learned numbers, norms and biases included, zeros included.
        amounts: weights, nonzeros, MACs.
        size_bytes: of its file: fp32 safetensors before, `.goss` after.
        record: times of torch, gossamer and ONNX Runtime on one image.
    """

    accuracy: float
    parameters: int
    amounts: Amounts
    size_bytes: int
    record: Record


@dataclass(frozen=True)
class Mistake:
    """A test image that the compressed network gets wrong."""

    index: int
    label: int
    predicted: int


@dataclass(frozen=True)
class Outcome:
    """What became of one network.

    Args:
        network: name.
        before: trained, dense.
        after: pruned, with shared weights, from the file.
        asked_sparsity: of the recipe.
        images: of the test split.
        agreeing: how many of them the file, in a fresh process, labels as the PyTorch module does.
        mistakes: of the compressed network.
        parts: of the `.goss` file, in bytes.
        explanation: what the compiler chose for each layer, and why.
        graph: the compressed network.
    """

    network: str
    before: State
    after: State
    asked_sparsity: float
    images: int
    agreeing: int
    mistakes: tuple[Mistake, ...]
    parts: tuple[Part, ...]
    explanation: str
    graph: Graph


@dataclass(frozen=True)
class DemoResult:
    """The outcomes of all networks."""

    seed: int
    outcomes: tuple[Outcome, ...]
    duration_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, without the graphs."""
        return {
            "seed": self.seed,
            "duration_s": self.duration_s,
            "networks": [_outcome_to_dict(outcome) for outcome in self.outcomes],
        }


def _outcome_to_dict(outcome: Outcome) -> dict[str, Any]:
    return {
        "network": outcome.network,
        "before": _state_to_dict(outcome.before),
        "after": _state_to_dict(outcome.after),
        "asked_sparsity": outcome.asked_sparsity,
        "images": outcome.images,
        "agreeing": outcome.agreeing,
        "mistakes": [asdict(mistake) for mistake in outcome.mistakes],
        "parts_bytes": {part.name: part.amount for part in outcome.parts},
        "explanation": outcome.explanation,
    }


def _state_to_dict(state: State) -> dict[str, Any]:
    return {
        "accuracy": state.accuracy,
        "parameters": state.parameters,
        **asdict(state.amounts),
        "sparsity": state.amounts.sparsity,
        "size_bytes": state.size_bytes,
        "record": state.record.to_dict(),
    }
