"""One registry class for everything that is looked up by name: networks, passes, coders, …

A registry is an immutable table of `name -> "module:attribute"`; a module is imported when its
entry is first asked for, so that listing names costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Any

from gossamer.errors import UnknownNameError

_NAMES_SHOWN = 12


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
            near = get_close_matches(str(name), self._targets, n=3, cutoff=0.5)
            known = " or ".join(repr(n) for n in near)
            hint = f"did you mean {known}?" if near else f"known: {self._listing()}"
            raise UnknownNameError(f"unknown {self.kind} {name!r}", hint=hint)
        module, attribute = self._targets[name].split(":")
        return getattr(import_module(module), attribute)

    def _listing(self) -> str:
        """Return the names, not all of them where there are many."""
        shown = ", ".join(list(self._targets)[:_NAMES_SHOWN])
        rest = len(self._targets) - _NAMES_SHOWN
        return f"{shown} and {rest} more" if rest > 0 else shown

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)

    def __contains__(self, name: object) -> bool:
        return name in self._targets
