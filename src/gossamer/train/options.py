"""Frozen option classes from plain data: unknown names and wrong types are named errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar

from gossamer.errors import SpecError

T = TypeVar("T")


def options_from_dict(kind: type[T], data: object, *, where: str) -> T:
    """Build a frozen dataclass whose fields all have defaults from a mapping.

    A field takes values of its default's type. An integer does for a float, a list for a tuple of
    strings, and a mapping for a nested option class.

    Args:
        kind: the dataclass.
        data: field names and values, as parsed from JSON or YAML.
        where: what the options belong to, for messages.

    Raises:
        SpecError: if `data` is not a mapping, names an unknown field, or has a value of another
            type; and whatever the class itself raises on values out of range.

    Examples:
        >>> from gossamer.train.recipe import Recipe
        >>> options_from_dict(Recipe, {"epochs": 3, "learning_rate": 1}, where="demo").learning_rate
        1.0
    """
    if not isinstance(data, Mapping):
        raise SpecError("options must be a mapping", where=where, got=type(data).__name__)
    defaults = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    for name in data:
        if name not in defaults:
            raise SpecError(f"unknown option {name!r}", where=where, expected=list(defaults))
    return kind(**{k: _typed(v, defaults[k], f"{where}: {k}") for k, v in data.items()})


def _typed(value: Any, default: Any, where: str) -> Any:
    """Return the value as the default's type, or raise."""
    if is_dataclass(default) and isinstance(value, Mapping):
        return options_from_dict(type(default), value, where=where)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, tuple) and isinstance(value, (list, tuple)):
        return tuple(_typed(item, "", where) for item in value)
    if type(value) is not type(default):
        raise SpecError("wrong type", where=where, got=repr(value), expected=type(default).__name__)
    return value


def options_to_dict(options: Any) -> dict[str, Any]:
    """Return an option object as plain data that JSON and YAML can hold; tuples become lists."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(options).items()}
