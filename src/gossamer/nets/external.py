"""Networks of other libraries by name: `torchvision:resnet18`, `timm:resnet18`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from torch import nn

from gossamer.errors import MissingDependencyError, SpecError, UnknownNameError


def is_external(name: str) -> bool:
    """Return whether a network's name begins with a library that is passed through to.

    Examples:
        >>> is_external("timm:resnet18"), is_external("resnet-18")
        (True, False)
    """
    return isinstance(name, str) and ":" in name and name.partition(":")[0] in _LIBRARIES


def create_external(
    name: str, num_classes: int | None, in_channels: int | None, options: Mapping[str, Any]
) -> nn.Module:
    """Build a network of another library, in training mode.

    Args:
        name: "torchvision:NAME" (classification networks) or "timm:NAME".
        num_classes: length of the output; the library's default if None.
        in_channels: C of the input; torchvision's networks take 3 only.
        options: handed on, such as `weights="DEFAULT"` (torchvision) or `pretrained=True` (timm),
            which download trained weights.

    Raises:
        MissingDependencyError: if the library cannot be imported.
        UnknownNameError: if it has no such network.
        SpecError: if it refuses an option.
    """
    library, _, inner = name.partition(":")
    wanted = {} if num_classes is None else {"num_classes": num_classes}
    try:
        return _LIBRARIES[library](inner, wanted, in_channels, options).train()
    except (TypeError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{library} refuses: {error}", where=name) from None


def _torchvision(
    name: str, wanted: dict[str, int], in_channels: int | None, options: Mapping[str, Any]
) -> nn.Module:
    models = _imported("torchvision.models")
    _check_name("torchvision", name, models.list_models(module=models))
    if in_channels not in (None, 3):
        raise SpecError(
            "torchvision's networks take three channels",
            where=f"torchvision:{name}",
            got=in_channels,
            hint="timm's take any number",
        )
    return models.get_model(name, **wanted, **options)


def _timm(
    name: str, wanted: dict[str, int], in_channels: int | None, options: Mapping[str, Any]
) -> nn.Module:
    timm = _imported("timm")
    if not timm.is_model(name):
        _check_name("timm", name, timm.list_models())
    if in_channels is not None:
        wanted = {**wanted, "in_chans": in_channels}
    return timm.create_model(name, **wanted, **options)


_LIBRARIES: Mapping[str, Callable[..., nn.Module]] = {"torchvision": _torchvision, "timm": _timm}


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    # torchvision built for another torch fails with RuntimeError: its operators are missing.
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            f"{module.partition('.')[0]} cannot be imported",
            got=error,
            hint="pip install 'gossamer[zoo]', built for the torch that is installed",
        ) from None


def _check_name(library: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name in names:
        return
    near = " or ".join(repr(f"{library}:{n}") for n in get_close_matches(name, names, n=3))
    raise UnknownNameError(
        f"{library} has no network {name!r}", hint=f"did you mean {near}?" if near else None
    )
