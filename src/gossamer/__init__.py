"""Gossamer makes convolutional networks sparse and compact, and cashes it in as bytes and time.

The stages, in the order data crosses them:

    design ─ grow ─ train ─ push & prune ─ factor ─ cluster / quantise ─ encode ─ compile ─ run

and the folders that hold them, in the order of imports: the base (`errors`, `registry`, `shapes`,
`counts`, `replacing`, `images`, `jit`), then `sparsecoding`, `nets`, `train`, `graph`, `compress`,
`codec`, `runtime`, `compile`, `bench`, `report`, `cli`. Importing gossamer imports neither torch
nor LLVM: each public name is fetched when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from gossamer.errors import missing_dependency

__version__ = "0.1.0"

_PUBLIC = {
    "create_model": "gossamer.nets.create:create_model",
    "fit": "gossamer.train.fit:fit",
    "compress": "gossamer.compress.compress:compress",
    "export": "gossamer.graph.export:export",
    "save": "gossamer.codec.files:save",
    "load": "gossamer.codec.files:load",
    "compile": "gossamer.compile.compile:compile",
    "benchmark": "gossamer.bench.benchmark:benchmark",
}

__all__ = [*_PUBLIC]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'gossamer' has no attribute {name!r}")
    module, attribute = _PUBLIC[name].split(":")
    try:
        value = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise missing_dependency(error) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]


class _Package(ModuleType):
    """This package: the folders `compile` and `compress` do not take their functions' names."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
