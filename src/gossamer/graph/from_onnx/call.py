"""What a handler sees: one ONNX node, its attributes and inputs, and the graph that it adds to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.errors import FormatError, UnsupportedOperatorError
from gossamer.graph.from_onnx.builder import Builder, Value
from gossamer.graph.from_onnx.constant import Constant
from gossamer.graph.from_onnx.view import NO_PADDING, View, features, is_plain, plain, regrouped
from gossamer.graph.ops import ChannelPermute, ChannelSelect, Conv2d, Flatten, Op, Shape

if TYPE_CHECKING:
    from onnx import NodeProto


class Call:
    """One node of the file.

    Args:
        builder: where nodes of the graph go.
        node: of the file.
    """

    def __init__(self, builder: Builder, node: NodeProto) -> None:
        self.builder, self.node = builder, node
        self.kind, self.opset = node.op_type, builder.source.opsets["ai.onnx"]

    # ── the node ──────────────────────────────────────────────────────────────────────────────
    @cached_property
    def attributes(self) -> dict[str, Any]:
        """The node's attributes by name."""
        from onnx.helper import get_attribute_value

        return {a.name: get_attribute_value(a) for a in self.node.attribute}

    def ints(self, name: str, default: Sequence[int] | None = None) -> list[int] | None:
        """Return an attribute that is a list of integers."""
        value = self.attributes.get(name, default)
        if value is None:
            return None
        if isinstance(value, int | float) or not all(isinstance(v, int) for v in value):
            raise self.malformed(f"attribute {name!r} is not a list of integers")
        return list(value)

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise self.malformed(f"attribute {name!r} is not a number")
        return value

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is an integer."""
        value = self.number(name, default)
        if not isinstance(value, int):
            raise self.malformed(f"attribute {name!r} is not an integer")
        return value

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a text."""
        value = self.attributes.get(name, default.encode())
        if not isinstance(value, bytes):
            raise self.malformed(f"attribute {name!r} is not a text")
        return value.decode(errors="replace")

    def given_ints(self, name: str, index: int) -> list[int] | None:
        """Return integers that old operator sets keep in an attribute, new ones in an input."""
        if name in self.attributes:
            return self.ints(name)
        given = self.constant(index)
        if given is None:
            return None
        if given.array.dtype.kind not in "iu":
            raise self.malformed(f"{name} are not integers")
        return [int(v) for v in given.array.ravel()]

    def given_number(self, name: str, index: int) -> float | None:
        """Return a number that old operator sets keep in an attribute, new ones in an input."""
        if name in self.attributes:
            return self.number(name, 0.0)
        given = self.constant(index)
        return None if given is None else float(given.array.astype(np.float64).item())

    @property
    def label(self) -> str:
        """What to call nodes made from this one: the module of its weight, else its own name."""
        for name in self.node.input:
            constant = self.builder.constant(name)
            origin = constant.origin if constant else None
            if origin and origin.endswith(".weight"):
                return origin.removesuffix(".weight")
        return (self.node.name or self.node.output[0]).strip("/") or self.kind

    # ── its inputs ────────────────────────────────────────────────────────────────────────────
    def has(self, index: int) -> bool:
        """Whether an optional input is given."""
        return index < len(self.node.input) and self.node.input[index] != ""

    def input(self, index: int) -> Value:
        """Return an input."""
        if not self.has(index):
            raise self.malformed(f"input {index} is missing")
        name = self.node.input[index]
        value = self.builder.values.get(name) or self.builder.constant(name)
        if value is None:
            raise FormatError(
                "reads a value that nothing before it makes", where=self.place, got=name
            )
        return value

    def constant(self, index: int) -> Constant | None:
        """Return an optional input that must not depend on the network's input."""
        if not self.has(index):
            return None
        value = self.input(index)
        if not isinstance(value, Constant):
            raise self.unsupported(f"has an input {index} that depends on the network's input")
        return value

    def needed(self, index: int) -> Constant:
        """Return an input that must be there and must not depend on the network's input."""
        constant = self.constant(index)
        if constant is None:
            raise self.malformed(f"input {index} is missing")
        return constant

    def view(self, index: int = 0, *, integers: bool = False) -> View:
        """Return an input that depends on the network's input, and is real unless `integers`."""
        value = self.input(index)
        if isinstance(value, Constant):
            raise self.unsupported(f"has an input {index} that is constant")
        self._unmarked(value)
        if value.levels is not None and not integers:
            raise self.unsupported("of integers is not in the graph", "dequantise its inputs first")
        return value

    def _unmarked(self, view: View) -> None:
        """Raise where a view is not a value but says something about it."""
        if view.mark is not None:
            raise self.unsupported(f"reads {view.mark}")

    def shape(self, source: str) -> Shape:
        """Return the shape of a value of the graph."""
        return self.builder.shapes[source]

    def sizes(self, view: View) -> Shape:
        """Return the shape of the array that a view stands for."""
        return view.sizes(self.shape(view.source))

    # ── values of the graph ───────────────────────────────────────────────────────────────────
    def add(
        self, op: Op, *inputs: str, label: str = "", **weights: np.ndarray | Constant | None
    ) -> str:
        """Add a node and return its name."""
        given = {
            role: weight if isinstance(weight, Constant) else Constant(weight)
            for role, weight in weights.items()
            if weight is not None
        }
        return self.builder.add(label or self.label, op, inputs, given)

    def plain(self, source: str) -> View:
        """Return a value of the graph as it is."""
        return plain(source, self.shape(source))

    def picture(self, view: View) -> View:
        """Return a view as it would be of a plain value (N, C, H, W), padding kept."""
        if not is_plain(view, 4) or len(self.shape(view.source)) != 4:
            raise self.unsupported(f"reads an array laid out as {view.axes}, not NCHW")
        view = self.in_order(view)
        return replace(self.plain(view.source), padding=view.padding, label=view.label)

    def value(self, index: int = 0) -> str:
        """Return the name of an input's plain value (N, C, H, W) or (N, C)."""
        return self.settled(self.view(index))

    def settled(self, view: View) -> str:
        """Return the name of a plain value, adding the nodes that it still needs, once."""
        settled = self.builder.settled
        if view not in settled:
            if is_plain(view, 4):
                settled[view] = self.unpadded(self.picture(view)).source
            elif is_plain(view, 2):
                settled[view] = self.flat(self.in_order(self.unpadded(view))).source
            else:
                raise self.unsupported(f"reads an array laid out as {view.axes}")
        return settled[view]

    def in_order(self, view: View) -> View:
        """Return the view with its channels in the order of their axes."""
        order = np.arange(view.order.size).reshape(view.order.shape)
        if np.array_equal(order, view.order):
            return view
        source = self.choose(view.source, view.order.ravel(), view.label)
        return replace(view, source=source, order=order)

    def choose(self, source: str, channels: np.ndarray, label: str = "") -> str:
        """Return a value whose channel i is channel channels[i] of another, zero for −1."""
        order, all_channels = tuple(channels.tolist()), tuple(range(self.shape(source)[1]))
        if order == all_channels:
            return source
        cls = ChannelPermute if tuple(sorted(order)) == all_channels else ChannelSelect
        return self.add(cls(order), source, label=label)

    def unpadded(self, view: View) -> View:
        """Return the view with its padding in the source, by a convolution that copies."""
        self._unmarked(view)
        if view.padding == NO_PADDING:
            return view
        channels = self.shape(view.source)[1]
        ones = np.ones((channels, 1, 1, 1))
        op = Conv2d(padding=view.padding, groups=channels)
        source = self.add(op, view.source, label=view.label, weight=ones)
        return replace(view, source=source, padding=NO_PADDING)

    def flat(self, view: View) -> View:
        """Return the view of a source (N, C), given one whose picture is a single pixel."""
        if len(self.shape(view.source)) == 2:
            return view
        return replace(view, source=self.add(Flatten(), view.source, label=view.label))

    def reshape(self, view: View, target: Shape) -> View:
        """Return the view with another shape, flattening the picture if that needs it."""
        sizes = self.sizes(view)
        if target == sizes:
            return view
        if not target or target[0] != sizes[0]:
            raise self.unsupported(f"reshapes {sizes} to {target}, over the batch")
        kept = regrouped(view, sizes, target)
        if kept is not None:
            return kept
        view = self.unpadded(view)
        index = features(view, self.shape(view.source)[2:])
        inner = [size for size in target[1:] if size != 1]
        axes = "N" + "".join("1" if size == 1 else "C" for size in target[1:])
        name = self.add(Flatten(), view.source)
        return View(name, axes, index.reshape(inner), levels=view.levels)

    # ── errors ────────────────────────────────────────────────────────────────────────────────
    @property
    def place(self) -> str:
        """Where in the file."""
        return f"node {self.node.name or self.node.output[0]!r}"

    def unsupported(
        self, reason: str = "is not in the graph", hint: str | None = None
    ) -> UnsupportedOperatorError:
        """Return the error that names the operator and its place in the file."""
        domain = self.node.domain or "ai.onnx"
        version = self.builder.source.opsets.get(domain, "unknown")
        return UnsupportedOperatorError(
            f"operator {domain}::{self.kind} (operator set {version}) {reason}",
            where=self.place,
            hint=hint or "docs/operators.md says what can be read, and what to do about the rest",
        )

    def malformed(self, problem: str) -> FormatError:
        """Return the error for a node that ONNX does not allow."""
        return FormatError(f"operator {self.kind}: {problem}", where=self.place)
