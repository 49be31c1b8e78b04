"""Move channel permutations towards the output, and into the layer that reads them if it can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gossamer.graph.graph import Graph
from gossamer.graph.ops import (
    Activation,
    AvgPool2d,
    ChannelPermute,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    KWinners,
    Linear,
    MaxPool2d,
    Quantise,
    ScaleShift,
    Shape,
    Threshold,
)
from gossamer.graph.rewrite.edit import Draft
from gossamer.graph.verify import infer_shapes


def sink_permute(graph: Graph) -> Graph:
    """Return the graph with each permutation as late as it can be, or gone.

    A permutation changes places with the one node that reads it if that node treats channels alike
    (so that norms and activations come to stand behind their convolution), joins a permutation that
    follows, and disappears into the columns of a convolution without groups or of a linear layer.
    Outputs stay the same, except that such a layer adds up in another order.
    """
    draft, shapes = Draft(graph), infer_shapes(graph)
    for permute in draft.of_kind(ChannelPermute):
        while _step(draft, permute.name, shapes):
            pass
    return draft.graph()


def _step(draft: Draft, name: str, shapes: Mapping[str, Shape]) -> bool:
    """Move one permutation behind its reader; return whether it may move on."""
    permute, reader = draft.nodes[name], draft.only_reader(name)
    assert isinstance(permute.op, ChannelPermute)
    if reader is None:
        return False
    order = np.array(permute.op.order)
    match reader.op:
        case ChannelPermute(following):
            draft.put(replace(reader, op=_permutation(order[list(following)])))
            draft.drop(permute)
            return False
        case Linear() | Conv2d(groups=1):
            draft.reorder(reader, ("weight",), np.argsort(order), axis=1)
            draft.drop(permute)
            return False
        case ScaleShift():
            reader = draft.reorder(reader, ("scale", "shift"), np.argsort(order))
        case Threshold():
            reader = draft.reorder(reader, ("threshold",), np.argsort(order))
        case KWinners(over="map"):
            pass
        case Activation() | MaxPool2d() | AvgPool2d() | GlobalAvgPool() | Quantise():
            pass
        case Flatten():
            features = np.arange(shapes[reader.name][1])
            by_channel = features.reshape(len(order), -1)[order]
            permute = draft.put(replace(permute, op=_permutation(by_channel.ravel())))
        case _:
            return False
    draft.exchange(permute, reader)
    return True


def _permutation(order: np.ndarray) -> ChannelPermute:
    return ChannelPermute(tuple(int(channel) for channel in order))
