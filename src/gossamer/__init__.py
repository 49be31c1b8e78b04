"""Gossamer makes convolutional networks sparse and compact, and cashes it in as bytes and time.

The stages, in the order data crosses them:

    design ─ grow ─ train ─ push & prune ─ factor ─ cluster / quantise ─ encode ─ compile ─ run ─ measure

and the folders that hold them, in the order of imports: the base (`errors`, `registry`, `shapes`,
`counts`, `images`, `jit`), then `nets`, `train`, `graph`, `compress`, `codec`, `runtime`,
`compile`, `bench`, `report`, `cli`. Importing gossamer imports neither torch nor LLVM: each public
name is fetched when it is first used.
"""

from importlib import import_module
from typing import Any

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

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'gossamer' has no attribute {name!r}")
    module, attribute = _PUBLIC[name].split(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
