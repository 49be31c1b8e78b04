"""A network of other widths than its class gives it: what to store, and how to have it back.

A network without some of its channels has smaller tensors than its class makes, and other numbers
in attributes such as `groups`. The tensors say their own shapes; the numbers are stored beside
them, as far as they differ from those of a network fresh from its class. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as short_repr
from typing import Any

from torch import Tensor, nn

from gossamer.errors import DataError

Numbers = dict[str, dict[str, Any]]


def numbers(model: nn.Module) -> Numbers:
    """Return module path → attribute → value, of all integers and lists of integers.

    Examples:
        >>> numbers(nn.Linear(3, 2))[""]
        {'in_features': 3, 'out_features': 2}
    """
    found = {}
    for path, module in model.named_modules():
        own = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in vars(module).items()
            if not key.startswith("_") and _is_number(value)
        }
        found[path] = own
    return found


def changed(before: Numbers, after: Numbers) -> Numbers:
    """Return what of `after` is not so in `before`.

    Examples:
        >>> changed({"a": {"groups": 2, "stride": 1}}, {"a": {"groups": 3, "stride": 1}})
        {'a': {'groups': 3}}
    """
    paths = {
        path: {k: v for k, v in own.items() if before.get(path, {}).get(k) != v}
        for path, own in after.items()
    }
    return {path: own for path, own in paths.items() if own}


def resize(
    model: nn.Module, tensors: Mapping[str, Tensor], stored: object, *, where: object
) -> nn.Module:
    """Bring a network to the widths of stored tensors, in place; its weights are then undefined.

    Args:
        model: fresh from its class.
        tensors: of the smaller network, by the names of its state.
        stored: the numbers that differ, as `changed` gave them.
        where: the file, for messages.

    Raises:
        DataError: if the numbers are none of this network.

    Examples:
        >>> small = nn.Linear(3, 1)
        >>> stored = changed(numbers(nn.Linear(3, 2)), numbers(small))
        >>> resize(nn.Linear(3, 2), small.state_dict(), stored, where="demo")
        Linear(in_features=3, out_features=1, bias=True)
    """
    for path, name, value in _checked(model, stored, where):
        module = model.get_submodule(path)
        setattr(module, name, tuple(value) if isinstance(vars(module)[name], tuple) else value)
    for path, module in model.named_modules(remove_duplicate=False):
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            wanted = tensors.get(f"{path}.{name}" if path else name)
            if tensor is None or wanted is None or tensor.shape == wanted.shape:
                continue
            empty = tensor.detach().new_empty(wanted.shape)
            if isinstance(tensor, nn.Parameter):
                empty = nn.Parameter(empty, requires_grad=tensor.requires_grad)
            setattr(module, name, empty)
    return model


def _checked(model: nn.Module, stored: object, where: object) -> list[tuple[str, str, Any]]:
    known, found = numbers(model), []
    items = stored.items() if isinstance(stored, dict) else [("", stored)]
    for path, own in items:
        for name, value in own.items() if isinstance(own, dict) else [("", own)]:
            old = known.get(path, {}).get(name)
            listed: list[Any] = value if isinstance(value, list) else [value]
            same = _is_number(value) and isinstance(value, list) == isinstance(old, list)
            if old is None or not same or min(listed) < 0:
                raise DataError(
                    "its widths are not those of this network",
                    where=where,
                    got=short_repr({path: {name: value}}),
                )
            found.append((path, name, value))
    return found


def _is_number(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(type(item) is int for item in value)
    return type(value) is int
