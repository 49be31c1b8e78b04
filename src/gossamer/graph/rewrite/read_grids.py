"""Hold weights as integers where their values say that they are whole multiples of one number.

A weight that was rounded to a grid is an ordinary float weight; the grid is read off its values, as
a codebook is. Every nonzero entry of an output channel must be, exactly, an integer of at most 127
times one scale. The largest such scale is the greatest common divisor of the channel's entries.
"""

from __future__ import annotations

import numpy as np

from gossamer.graph.graph import Graph, Node
from gossamer.graph.layouts import Codebook, Dense, Quantised
from gossamer.graph.ops import Conv2d, Linear, Quantise
from gossamer.graph.rewrite.choose_layouts import has_few_values
from gossamer.graph.rewrite.edit import Draft

LARGEST = 127
_LEAST_COINCIDENCES = 8
_MOST_SHIFT = 7
_PROBE = 8


def read_grids(graph: Graph) -> Graph:
    """Return the graph with weights on a grid in the layout `quantised`; values stay.

    Channels of one value and its negative and zero (binary and ternary weights) become a codebook
    of −1 and 1 with the role `scale`, unless the layer reads rounded values, where integers are
    what kernels want: there, any weight that integers and scales mean exactly becomes so, such as
    one with a single entry a channel, which is on every grid. Norms are folded after this, into
    the scales.
    """
    draft = Draft(graph)
    for kind in (Conv2d, Linear):
        for node in draft.of_kind(kind):
            layout = draft.layout(node, "weight")
            least = 0 if _reads_levels(draft, node) else _LEAST_COINCIDENCES
            if isinstance(layout, Dense) and (found := grid_of(layout.values, least)) is not None:
                _hold(draft, node, found)
    return draft.graph()


def grid_of(array: np.ndarray, least: int = _LEAST_COINCIDENCES) -> Quantised | None:
    """Return a float32 weight (K, …) as integers and scales that mean exactly it, if there are any.

    None where a channel has no such scale, or where too few entries agree for it to be more than
    chance: each nonzero entry of a channel after its first is one coincidence.

    Args:
        array: the weight.
        least: coincidences that are asked for.

    Examples:
        >>> found = grid_of(np.outer([0.1, 0.3], np.arange(-3, 4)).astype(np.float32))
        >>> found is None  # 0.1 · 3 was rounded: a grid needs scales of few bits
        True
        >>> found = grid_of(np.outer([0.125, 0.75], np.arange(-3, 4)).astype(np.float32))
        >>> found.integers[1].tolist(), found.scales.tolist()
        ([-3, -2, -1, 0, 1, 2, 3], [0.125, 0.75])
    """
    rows = np.asarray(array, np.float32).reshape(len(array), -1)
    counts = np.count_nonzero(rows, axis=1)
    if np.maximum(counts - 1, 0).sum() < least or not np.isfinite(rows).all():
        return None
    # The common case, of weights on no grid, is told from a few channels.
    if _divisors(rows[np.argsort(-counts)[:_PROBE]]) is None:
        return None
    scales = _divisors(rows)
    if scales is None:
        return None
    integers = np.rint(rows / scales[:, None]).astype(np.int8).reshape(array.shape)
    found = Quantised(integers, scales)
    return found if np.array_equal(found.to_dense(), array) else None


def _divisors(rows: np.ndarray) -> np.ndarray | None:
    """Return the greatest common divisor of each row, None unless all quotients are at most 127."""
    mantissas, exponents = np.frexp(rows)
    alive = rows != 0
    lowest = np.where(alive, exponents, np.iinfo(np.int32).max).min(axis=1, initial=2**30)
    shifts = np.where(alive, exponents - lowest[:, None], 0)
    if shifts.max(initial=0) > _MOST_SHIFT:
        return None
    whole = np.abs(np.ldexp(mantissas.astype(np.float64), shifts + 24)).astype(np.int64)
    common = np.maximum(np.gcd.reduce(whole, axis=1), 1)
    if (whole.max(axis=1, initial=0) > LARGEST * common).any():
        return None
    scales = np.ldexp(common.astype(np.float64), np.where(alive.any(axis=1), lowest, 0) - 24)
    scales = np.where(alive.any(axis=1), scales, 1.0)
    is_normal = scales >= np.finfo(np.float32).tiny  # products of smaller ones would be rounded
    return scales.astype(np.float32) if is_normal.all() else None


def _hold(draft: Draft, node: Node, found: Quantised) -> None:
    weight = node.weights["weight"]
    if not _is_signs_alone(draft, node, found):
        draft.weights[weight] = found  # means the same to every layer that uses it
        return
    scales = found.scales[np.abs(found.integers.reshape(len(found.integers), -1)).max(1) > 0]
    if has_few_values(found.to_dense()) and len(np.unique(scales)) == 1:
        return  # one pair of values for the whole layer: `choose_layouts` finds it
    codes = Codebook.from_dense(found.integers.astype(np.float32))
    before = draft.layout(node, "scale").to_dense() if "scale" in node.weights else 1.0
    draft.hold(node, weight=codes, scale=Dense(found.scales * before))


def _is_signs_alone(draft: Draft, node: Node, found: Quantised) -> bool:
    """Whether weights are signs with a scale, and nothing is gained by integers."""
    return not _reads_levels(draft, node) and int(np.abs(found.integers).max(initial=0)) <= 1


def _reads_levels(draft: Draft, node: Node) -> bool:
    maker = draft.maker(node.inputs[0])
    return maker is not None and isinstance(maker.op, Quantise)
