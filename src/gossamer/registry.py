"""One registry class for everything that is looked up by name: networks, passes, coders, …

A registry is an immutable table of `name -> "module:attribute"`; a module is imported when its
entry is first asked for, so that listing names costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Any

from gossamer.errors import UnknownNameError

_NAMES_SHOWN = 12


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """Return the error for a name that is not known: it says the nearest ones, or all if few.

    Examples:
        >>> print(unknown_name("colour", "gren", ["blue", "green"]))
        unknown colour 'gren'; did you mean 'green'?
    """
    names = list(known)
    if near := get_close_matches(str(name), names, n=3, cutoff=0.5):
        hint = f"did you mean {' or '.join(repr(n) for n in near)}?"
    else:
        rest = len(names) - _NAMES_SHOWN
        hint = "known: " + ", ".join(names[:_NAMES_SHOWN])
        hint += f" and {rest} more" if rest > 0 else ""
    return UnknownNameError(f"unknown {kind} {name!r}", hint=hint)


class Registry(Mapping[str, Any]):
    """A read-only mapping from names to lazily imported objects.

    Args:
        kind: what the entries are, in the singular, for messages ("network", "coder").
        entries: `name -> "module:attribute"`.

    Raises:
        UnknownNameError: on look-up of a name that is not there; it names the nearest ones.

    Examples:
        >>> registry = Registry("function", {"square-root": "math:sqrt"})
        >>> registry["square-root"](9.0)
        3.0
        >>> registry["sqare-root"]
        Traceback (most recent call last):
        gossamer.errors.UnknownNameError: unknown function 'sqare-root'; did you mean 'square-root'?
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._targets = MappingProxyType(dict(entries))

    def __getitem__(self, name: str) -> Any:
        if name not in self._targets:
            raise unknown_name(self.kind, name, self._targets)
        module, attribute = self._targets[name].split(":")
        return getattr(import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)

    def __contains__(self, name: object) -> bool:
        return name in self._targets
