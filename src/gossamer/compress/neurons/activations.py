"""The activations of a network: which there are, and putting others in their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from gossamer.compress.layers import matching
from gossamer.nets.blocks.threshold import Truncated
from gossamer.nets.blocks.winners import KWinners

FUNCTIONS: Mapping[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.SiLU: "silu",
    nn.Hardsigmoid: "hard_sigmoid",
    nn.Hardswish: "hard_swish",
}
"""Modules whose activation the graph has, and what it calls it."""


def match_activations(
    model: nn.Module, include: Sequence[str], exclude: Sequence[str], *, where: str
) -> dict[str, nn.Module]:
    """Return the activation modules whose names match, in the model's order, each once.

    Activations that a `forward` calls as functions are not found.

    Args:
        model: where to look.
        include: regular expressions; one of them must match the whole name.
        exclude: regular expressions; none of them may match the whole name.
        where: the pass, for messages.

    Raises:
        PassError: if an expression is not valid or no activation is left.

    Examples:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.Sigmoid())
        >>> list(match_activations(model, [".*"], ["3"], where="demo"))
        ['1']
    """
    known = {n: m for n, m in model.named_modules() if function_of(m) is not None}
    return matching(known, include, exclude, where=where, kind="the activation modules ")


def function_of(module: nn.Module) -> str | None:
    """Return what the graph calls the function of an activation module, None if it is none."""
    if isinstance(module, Truncated | KWinners):
        return module.function
    return FUNCTIONS.get(type(module))
