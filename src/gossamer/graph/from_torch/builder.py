"""What a handler sees: the traced call, and the builder that collects nodes and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, fx, nn

from gossamer.errors import UnsupportedOperatorError
from gossamer.graph.from_torch.traced_call import TracedCall
from gossamer.graph.graph import Node
from gossamer.graph.layouts import Dense, Layout
from gossamer.graph.ops import ChannelPermute, Conv2d, Flatten, Op

Sizes = tuple[int | str, ...]
_KINDS = ((nn.Conv2d, "conv2d"), (nn.Linear, "linear"))


@dataclass(frozen=True)
class Regrouped:
    """A value seen through reshapes and transpositions of its channels, not yet a node.

    Args:
        source: name of the value.
        order: which channel of the source stands where; its axes are those between N and (H, W).
        spatial: whether the axes (H, W) of the source follow.
    """

    source: str
    order: np.ndarray
    spatial: bool


@dataclass(frozen=True)
class Padded:
    """A value with zeros around the picture, which the convolution that reads it takes over."""

    source: str
    padding: tuple[int, int, int, int]


class Builder:
    """Collects the nodes of a graph; values are keyed by the node of the trace.

    Args:
        model: the traced module, to find which modules are leaves.
        names: names already taken.
    """

    def __init__(self, model: nn.Module, names: set[str]) -> None:
        self.nodes: list[Node] = []
        self.weights: dict[str, Layout] = {}
        self.shapes: dict[str, Sizes] = {}
        self.values: dict[fx.Node, Any] = {}
        self.parameters: dict[fx.Node, str] = {}
        self._leaves = {
            path: next((kind for own, kind in _KINDS if isinstance(module, own)), "any")
            for path, module in model.named_modules(remove_duplicate=False)
            if not any(module.children())
        }
        self._names = names

    def node_name(self, path: str, kind: str) -> str:
        """Return a free name: the module's path, else path and kind, else with a number.

        The path of a convolution or linear layer is for that, whatever else the module does.
        """
        long = f"{path}.{kind}" if path else kind
        is_own = path and self._leaves.get(path, "") in ("any", kind)
        return self._free_name(path if is_own else long, long)

    def weight(self, origin: Any, array: np.ndarray, fallback: str) -> str:
        """Keep a weight under its parameter's path, or under `fallback` if it was computed."""
        name = self.parameters.get(origin) if isinstance(origin, fx.Node) else None
        if name is None:
            name = fallback
            while name in self.weights or name in self.parameters.values():
                name += "_"
        self.weights[name] = Dense(array)
        return name

    def _free_name(self, *wishes: str) -> str:
        name = next((wish for wish in wishes if wish not in self._names), wishes[-1])
        number = 2
        while name in self._names:
            name, number = f"{wishes[-1]}_{number}", number + 1
        self._names.add(name)
        return name


class Call(TracedCall):
    """One operator of the trace, and what its arguments have become.

    Args:
        builder: where nodes go.
        node: of the trace.
    """

    def __init__(self, builder: Builder, node: fx.Node) -> None:
        super().__init__(node)
        self.builder = builder

    def is_value(self, argument: Any) -> bool:
        """Whether an argument depends on the network's input."""
        return isinstance(argument, fx.Node) and not isinstance(self.raw(argument), Tensor)

    def raw(self, argument: fx.Node) -> Any:
        """Return what an argument is: a name, a constant tensor, or a value not yet a node."""
        return self.builder.values[argument]

    def shape(self, value: str) -> Sizes:
        """Return the sizes of a named value, symbols as text."""
        return self.builder.shapes[value]

    def value(self, argument: Any) -> str:
        """Return the name of an argument's value, adding the nodes that it still needs."""
        if not self.is_value(argument):
            raise self.unsupported("needs a value that depends on the input")
        match self.raw(argument):
            case str(name):
                return name
            case Regrouped() as regrouped:
                name = Call(self.builder, argument)._regroup(regrouped)
            case Padded(source, padding):
                name = Call(self.builder, argument)._pad(source, padding)
            case _:
                raise self.unsupported("reads something that is not one tensor")
        self.builder.values[argument] = name
        return name

    def constant(self, argument: Any) -> np.ndarray | None:
        """Return a constant argument as float64, None if it is absent."""
        if argument is None:
            return None
        if isinstance(argument, int | float):
            return np.float64(argument) * np.ones(())
        if self.is_value(argument):
            raise self.unsupported("a weight depends on the input")
        return self.raw(argument).detach().cpu().double().numpy()

    def add(
        self,
        op: Op,
        *inputs: str,
        shape: Sizes | None = None,
        **weights: tuple[Any, np.ndarray] | None,
    ) -> str:
        """Add a node and return its name.

        Args:
            op: what it does.
            inputs: names of the values that it reads.
            shape: of the value made; default: what the trace says that the call makes.
            weights: role → (argument of the call that it comes from or None, array).
        """
        name = self.builder.node_name(self.path, op.kind)
        roles = {
            role: self.builder.weight(*given, f"{name}.{role}")
            for role, given in weights.items()
            if given is not None
        }
        self.builder.nodes.append(Node(name, op, inputs, roles))
        self.builder.shapes[name] = sizes(self.node) if shape is None else shape
        return name

    def unsupported(self, reason: str = "is not in the graph") -> UnsupportedOperatorError:
        """Return the error that names the operator and its place in the model."""
        return UnsupportedOperatorError(f"operator {self.node.target} {reason}", where=self.place)

    def _regroup(self, value: Regrouped) -> str:
        if value.order.ndim != 1:
            raise self.unsupported("reads a reshaped value")
        name, order = value.source, tuple(int(channel) for channel in value.order)
        if order != tuple(range(len(order))):
            name = self.add(ChannelPermute(order), name, shape=self.shape(name))
        settled = value.spatial or len(self.shape(name)) == 2
        return name if settled else self.add(Flatten(), name)

    def _pad(self, source: str, padding: tuple[int, int, int, int]) -> str:
        channels = int(self.shape(source)[1])
        ones = np.ones((channels, 1, 1, 1))
        return self.add(Conv2d(padding=padding, groups=channels), source, weight=(None, ones))


def sizes(node: fx.Node) -> Sizes:
    """Return the shape that the trace knows, symbolic sizes as text."""
    shape = getattr(node.meta.get("val"), "shape", ())
    texts = [str(size) for size in shape]
    return tuple(int(text) if text.isdigit() else text for text in texts)
