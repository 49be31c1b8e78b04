"""What operators say about axes: new shapes, orders, slices, in old and new operator sets."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from gossamer.graph.from_onnx.call import Call
from gossamer.graph.ops import Shape


def axis_of(call: Call, axis: int, rank: int) -> int:
    """Return an axis counted from the front."""
    if not -rank <= axis < rank:
        raise call.malformed(f"no axis {axis} among {rank}")
    return axis % rank


def new_shape(call: Call, sizes: Shape) -> Shape:
    """Return the shape that Reshape or Flatten makes of `sizes`."""
    if call.kind == "Flatten":
        axis = call.integer("axis", 1)
        axis += len(sizes) if axis < 0 else 0
        return (prod(sizes[:axis]), prod(sizes[axis:]))
    wanted = call.given_ints("shape", 1)
    if wanted is None:
        raise call.malformed("the shape is missing")
    if not call.integer("allowzero", 0):
        wanted = [
            sizes[i] if size == 0 and i < len(sizes) else size for i, size in enumerate(wanted)
        ]
    if -1 in wanted:
        known = -prod(wanted)
        wanted[wanted.index(-1)] = prod(sizes) // known if known > 0 else -1
    if prod(wanted) != prod(sizes) or min(wanted, default=1) < 0:
        raise call.malformed(f"cannot make {wanted} of {sizes}")
    return tuple(wanted)


def squeezed(call: Call, sizes: Shape) -> Shape:
    """Return the shape without axes of one entry."""
    axes = call.given_ints("axes", 1)
    if axes is None:
        return tuple(size for size in sizes if size != 1)
    dropped = {axis_of(call, axis, len(sizes)) for axis in axes}
    if any(sizes[axis] != 1 for axis in dropped):
        raise call.malformed(f"cannot squeeze axes {axes} of {sizes}")
    return tuple(size for axis, size in enumerate(sizes) if axis not in dropped)


def unsqueezed(call: Call, sizes: Shape) -> Shape:
    """Return the shape with more axes of one entry."""
    axes = call.given_ints("axes", 1) or []
    rank = len(sizes) + len(axes)
    added = {axis_of(call, axis, rank) for axis in axes}
    rest = iter(sizes)
    return tuple(1 if axis in added else next(rest) for axis in range(rank))


def moved(call: Call, rank: int) -> list[int]:
    """Return the order of axes that Transpose asks for."""
    axes = call.ints("perm", range(rank)[::-1])
    if axes is None or sorted(axes) != list(range(rank)):
        raise call.malformed(f"not an order of {rank} axes")
    return axes


def slices(call: Call, rank: int) -> list[slice]:
    """Return what Slice keeps, for each axis."""
    starts, ends = call.given_ints("starts", 1), call.given_ints("ends", 2)
    if starts is None or ends is None:
        raise call.malformed("starts or ends are missing")
    given = call.given_ints("axes", 3)
    axes: Sequence[int] = range(len(starts)) if given is None else given
    steps = call.given_ints("steps", 4) or [1] * len(starts)
    kept = [slice(None)] * rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A step backwards to before the first entry: Python would count −1 from the end.
        stop = None if step < 0 and end < -(2**31) else end
        kept[axis_of(call, axis, rank)] = slice(start, stop, step)
    return kept
