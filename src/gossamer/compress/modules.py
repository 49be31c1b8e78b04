"""Modules that passes put in the place of others: what to store of them, and how to have them back.

The tensors of a network are stored by name, and what they belong to follows from its class. Where a
pass replaced a module by one of another kind, its kind and options are stored beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as short_repr
from typing import Any

from torch import nn

from gossamer.compress.chains import replace_module
from gossamer.errors import DataError
from gossamer.registry import Registry

MODULES = Registry(
    "module",
    {
        "truncated": "gossamer.nets.blocks.threshold:Truncated",
        "k-winners": "gossamer.nets.blocks.winners:KWinners",
    },
)
"""By names in files. Each class has `options()`: what its constructor takes, as plain data."""

Described = dict[str, dict[str, Any]]


def described(model: nn.Module) -> Described:
    """Return module path → name and options, of all modules of a kind in MODULES.

    Examples:
        >>> from gossamer.nets.blocks.winners import KWinners
        >>> described(nn.Sequential(nn.ReLU(), KWinners(0.5)))
        {'1': {'module': 'k-winners', 'density': 0.5, 'over': 'channels',
         'function': 'identity'}}
    """
    kinds = {MODULES[name]: name for name in MODULES}
    return {
        path: {"module": kinds[type(module)], **module.options()}  # type: ignore[operator]
        for path, module in model.named_modules(remove_duplicate=False)
        if type(module) in kinds
    }


def replaced(before: Described, after: Described) -> Described:
    """Return what of `after` is not so in `before`."""
    return {path: own for path, own in after.items() if before.get(path) != own}


def put_back(model: nn.Module, stored: object, *, where: object) -> nn.Module:
    """Replace modules of a network fresh from its class as `replaced` says, in place.

    A module that stood at several paths stands at all of them again.

    Args:
        model: fresh from its class.
        stored: what `replaced` gave.
        where: the file, for messages.

    Raises:
        DataError: if it does not fit this network, or there is no such module.
    """
    items: Any = stored.items() if isinstance(stored, Mapping) else [("", stored)]
    for path, own in items:
        try:
            if not path:
                raise ValueError("the network itself")
            options: dict[str, Any] = dict(own)
            new = MODULES[options.pop("module")](**options)
            if described(old := model.get_submodule(path)) != described(new):
                replace_module(model, old, new)
        except (AttributeError, TypeError, ValueError, KeyError) as error:
            got = short_repr({path: own})
            raise DataError(
                "its modules are not those of this network", where=where, got=got
            ) from error
    return model
