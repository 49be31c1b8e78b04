"""Layers that became chains of smaller layers: what to store of them, and how to have them back.

A factored layer is an `nn.Sequential` where its network's class has a convolution or a linear
layer. Tensors say their own shapes; what they do not say is stored beside them. Nothing is pickled.
The levels that a link rounds to are in the state; `quantise.layers.restore_layers` puts them back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from operator import is_
from reprlib import repr as short_repr
from typing import Any

from torch import Tensor, nn

from gossamer.compress.layers import WEIGHTED
from gossamer.errors import DataError
from gossamer.nets.blocks.shuffle import ChannelShuffle

_PAIRS = ("stride", "padding", "dilation")
_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def replace_module(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put one module in the place of another, wherever the model holds it, in lists of its own too.

    Examples:
        >>> model = nn.Sequential(nn.ReLU())
        >>> replace_module(model, model[0], nn.Tanh())
        >>> model
        Sequential(
          (0): Tanh()
        )
    """
    for parent in list(model.modules()):  # before the new one, which may hold the old, is in it
        _swap(vars(parent), old, new)


def _swap(held: Any, old: nn.Module, new: nn.Module) -> Any:
    """Return what stands in the place of something that a module holds; dicts change in place."""
    if held is old:
        return new
    if isinstance(held, dict | list):
        for key, value in list(held.items() if isinstance(held, dict) else enumerate(held)):
            if (changed := _swap(value, old, new)) is not value:
                held[key] = changed
    elif type(held) is tuple:
        made = tuple(_swap(value, old, new) for value in held)
        return held if all(map(is_, made, held)) else made
    return held


def weighted_paths(model: nn.Module) -> frozenset[str]:
    """Return the paths of all convolutions and linear layers, each under all its names."""
    modules = model.named_modules(remove_duplicate=False)
    return frozenset(path for path, module in modules if isinstance(module, WEIGHTED))


def chains(paths: Collection[str], model: nn.Module) -> dict[str, list[Any]]:
    """Return path → links, of those of the paths where a chain stands.

    Args:
        paths: of the layers that the network had in its class.
        model: with chains in the place of some.

    Examples:
        >>> model = nn.Sequential(nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 4)))
        >>> chains(["0"], model)
        {'0': [{'kind': 'linear'}, {'kind': 'linear'}]}
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    return {
        path: [_link(child) for child in modules[path].children()]
        for path in sorted(paths)
        if isinstance(modules[path], nn.Sequential)
    }


def _link(module: nn.Module) -> dict[str, Any]:
    """Return what the tensors of a link do not say."""
    if isinstance(module, nn.Sequential):
        return {"kind": "chain", "links": [_link(child) for child in module.children()]}
    if isinstance(module, ChannelShuffle):
        return {"kind": "shuffle", "groups": module.groups}
    if isinstance(module, nn.Linear):
        return {"kind": "linear"}
    assert isinstance(module, nn.Conv2d), "passes make no other links"
    pairs = {key: getattr(module, key) for key in _PAIRS}
    listed = {key: v if isinstance(v, str) else list(v) for key, v in pairs.items()}
    other = {"groups": module.groups, "padding_mode": module.padding_mode}
    return {"kind": "conv", **listed, **other}


def rebuild(
    model: nn.Module, tensors: Mapping[str, Tensor], stored: object, *, where: object
) -> nn.Module:
    """Put the chains that were stored in the place of layers, in place; weights are undefined.

    Args:
        model: fresh from its class.
        tensors: of the factored network, by the names of its state.
        stored: as `chains` gave it.
        where: the file, for messages.

    Raises:
        DataError: if the chains are none of this network.

    Examples:
        >>> small = nn.Sequential(nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 4)))
        >>> model = rebuild(nn.Sequential(nn.Linear(4, 4)), small.state_dict(),
        ...                 chains(["0"], small), where="demo")
        >>> model[0][1].weight.shape
        torch.Size([4, 1])
    """
    layers = dict(model.named_modules(remove_duplicate=False))
    for path, links in (stored if isinstance(stored, dict) else {"": stored}).items():
        if not isinstance(layers.get(path), WEIGHTED):
            raise _foreign(path, links, where)
        try:
            chain = _chain(links, tensors, path)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
            raise _foreign(path, links, where) from None
        replace_module(model, layers[path], chain)
    return model


def _foreign(path: str, links: object, where: object) -> DataError:
    got = short_repr({path: links})
    return DataError("its chains are not those of this network", where=where, got=got)


def _chain(links: Any, tensors: Mapping[str, Tensor], path: str) -> nn.Sequential:
    made = [_built(dict(link), tensors, f"{path}.{i}") for i, link in enumerate(links)]
    return nn.Sequential(*made)


def _built(link: dict[str, Any], tensors: Mapping[str, Tensor], path: str) -> nn.Module:
    """Build one link; its size is that of tensors which are there, whatever the notes say."""
    kind = link.pop("kind")
    if kind == "chain":
        return _chain(link["links"], tensors, path)
    if kind == "shuffle":
        return ChannelShuffle(_natural(link["groups"]))
    weight, bias = tensors[f"{path}.weight"], f"{path}.bias" in tensors
    if kind == "linear":
        return nn.Linear(weight.shape[1], weight.shape[0], bias)
    if kind != "conv" or link["padding_mode"] not in _PADDING_MODES:
        raise ValueError(kind)
    return _convolution(link, weight, bias)


def _convolution(link: dict[str, Any], weight: Tensor, bias: bool) -> nn.Conv2d:
    kernels, channels, rows, columns = weight.shape
    groups = _natural(link["groups"])
    options: dict[str, Any] = {key: _pair(link[key], least=key != "padding") for key in _PAIRS}
    options |= {"groups": groups, "bias": bias, "padding_mode": link["padding_mode"]}
    return nn.Conv2d(channels * groups, kernels, (rows, columns), **options)


def _pair(value: Any, *, least: int) -> Any:
    if not least and value in ("same", "valid"):
        return value
    first, second = value
    return _natural(first, least=least), _natural(second, least=least)


def _natural(value: Any, *, least: int = 1) -> int:
    if type(value) is not int or value < least:
        raise ValueError(value)
    return value
