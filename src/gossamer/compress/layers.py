"""Which layers a pass works on, and what passes ask of a network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import nn

from gossamer.errors import PassError

M = TypeVar("M", bound=nn.Module)
WEIGHTED = (nn.Conv2d, nn.Linear)


def match_layers(
    model: nn.Module, include: Sequence[str], exclude: Sequence[str], *, where: str
) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the convolution and linear layers whose names match, in the model's order.

    Args:
        model: where to look.
        include: regular expressions; one of them must match the whole name.
        exclude: regular expressions; none of them may match the whole name.
        where: the pass, for messages.

    Raises:
        PassError: if an expression is not valid or no layer is left.

    Examples:
        >>> from gossamer.nets.create import create_model
        >>> model = create_model("digits-plain")
        >>> list(match_layers(model, [".*"], [r"blocks\\..*"], where="demo"))
        ['stem.conv', 'head']
    """
    layers = {name: m for name, m in model.named_modules() if isinstance(m, WEIGHTED)}
    return matching(layers, include, exclude, where=where)


def matching(
    known: Mapping[str, M],
    include: Sequence[str],
    exclude: Sequence[str],
    *,
    where: str,
    kind: str = "",
) -> dict[str, M]:
    """Return those whose names match; raise PassError if an expression is not valid or none does.

    Args:
        known: by name.
        include: regular expressions; one of them must match the whole name.
        exclude: regular expressions; none of them may match the whole name.
        where: the pass, for messages.
        kind: what they are, for messages.
    """
    try:
        wanted, unwanted = ([re.compile(p) for p in patterns] for patterns in (include, exclude))
    except re.error as error:
        raise PassError("not a regular expression", where=where, got=error.pattern) from None
    found = {
        name: module
        for name, module in known.items()
        if any(p.fullmatch(name) for p in wanted) and not any(p.fullmatch(name) for p in unwanted)
    }
    if not found:
        raise PassError(
            "no layer matches",
            where=where,
            got=f"include {list(include)}, exclude {list(exclude)}",
            expected=f"some of {kind}{list(known)}",
        )
    return found


def check_network(model: nn.Module) -> None:
    """Raise PassError unless all weights are finite float32 numbers that layers own.

    Examples:
        >>> check_network(nn.Linear(2, 1).double())
        Traceback (most recent call last):
        gossamer.errors.PassError: weight: a parameter of another type (got torch.float64, ...
    """
    if not isinstance(model, nn.Module):
        raise PassError("not a module", got=model, expected="an object of torch.nn.Module")
    for name, parameter in model.named_parameters():
        if parameter.dtype != torch.float32:
            raise PassError(
                "a parameter of another type",
                where=name,
                got=parameter.dtype,
                expected=torch.float32,
                hint="model.float()",
            )
        if not parameter.isfinite().all():
            raise PassError("a parameter that is not finite", where=name)
    for name, module in model.named_modules():
        if isinstance(module, WEIGHTED) and "weight" not in module._parameters:
            raise PassError(
                "its weight is computed, and what a pass gave to it would be lost",
                where=name,
                got=type(module).__name__,
                hint="torch.nn.utils.parametrize.remove_parametrizations",
            )
