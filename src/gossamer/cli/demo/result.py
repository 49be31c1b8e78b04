"""What the demo found, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from gossamer.bench.record import Record
from gossamer.graph import Graph, Layout, Node
from gossamer.report.pictures import Part


def layers_of(graph: Graph) -> list[tuple[Node, Layout]]:
    """Return the convolutions and linear layers of a graph, each with its weight."""
    return [
        (node, graph.weights[node.weights["weight"]])
        for node in graph.nodes
        if "weight" in node.weights
    ]


@dataclass(frozen=True)
class State:
    """One network before or after compression.

    Args:
        accuracy: on the test split, 0…1.
        parameters: learned numbers, norms and biases included, zeros included.
        weights: entries of all convolution and linear weights as the network was designed, zeros
            and channels that were removed since included.
        nonzeros: weights that are left.
        effective_macs: for one image, those whose weight is not zero.
        size_bytes: of its file: fp32 safetensors before, `.goss` after.
        record: times of torch, gossamer and ONNX Runtime on one image.
    """

    accuracy: float
    parameters: int
    weights: int
    nonzeros: int
    effective_macs: int
    size_bytes: int
    record: Record

    @property
    def sparsity(self) -> float:
        """Fraction of the designed weights that is gone."""
        return 1 - self.nonzeros / self.weights


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
    numbers = {f.name: getattr(state, f.name) for f in fields(state) if f.name != "record"}
    return {**numbers, "sparsity": state.sparsity, "record": state.record.to_dict()}
