"""The header without what follows from its other parts, and back; from version 5 of the format on.

| in the header | in its brief form |
|---|---|
| a node's input, by its name | how many values were made since: 0 for the one just before |
| `"order"` of channels | `"runs"`: pairs of the first channel and how many follow one another |
| shape that has one axis, as long as the first of the shape before | 0 |
| second axis as long as the first of the last shape of two or more axes | 0 |
| section of the first tensors that lie in none before it | how many |

A run from −1 repeats −1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gossamer.errors import FormatError

# A channel is a Python integer in a few lists.
_CHANNEL_SYMBOLS = 16


def brief(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the brief form of a header.

    Examples:
        >>> brief({"input": ["x"], "nodes": [], "shapes": [[8, 3, 3, 3], [8]], "sections": []})
        {'input': ['x'], 'nodes': [], 'shapes': [[8, 3, 3, 3], 0], 'sections': []}
    """
    short = dict(header)
    places = {header["input"][0]: 0}
    short["nodes"] = [_brief_node(node, places) for node in header["nodes"]]
    short["shapes"] = _brief_shapes(header["shapes"])
    short["sections"] = _brief_sections(header["sections"])
    return short


def full(short: Mapping[str, Any], charge: Callable[[int], None]) -> dict[str, Any]:
    """Return the header of a brief form; what runs unpack to is charged before.

    Raises:
        FormatError: if it is not the brief form of any header, or as `charge` does.
    """
    header = dict(short)
    try:
        names = [short["input"][0]]
        header["nodes"] = [_full_node(node, names, charge) for node in short["nodes"]]
        header["shapes"] = _full_shapes(short["shapes"])
        header["sections"] = _full_sections(short["sections"], len(short["shapes"]))
        same = brief(header) == short
    except FormatError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("not a header", where="header", got=str(error)[:80]) from None
    if not same:
        raise FormatError("the header is longer than it must be", where="header")
    return header


def _brief_node(node: Mapping[str, Any], places: dict[str, int]) -> dict[str, Any]:
    short = dict(node)
    made = len(places)
    if "inputs" in node:
        short["inputs"] = [
            made - 1 - places[name] if name in places else name for name in node["inputs"]
        ]
    if isinstance(node["op"].get("order"), list):
        op = dict(node["op"])
        op["runs"] = _runs(op.pop("order"))
        short["op"] = op
    places.setdefault(node["name"], made)
    return short


def _full_node(
    short: Mapping[str, Any], names: list[str], charge: Callable[[int], None]
) -> dict[str, Any]:
    node = dict(short)
    if "inputs" in short:
        node["inputs"] = [
            item if isinstance(item, str) else names[len(names) - 1 - _natural(item)]
            for item in short["inputs"]
        ]
    if "runs" in short["op"]:
        op = dict(short["op"])
        runs = op.pop("runs")
        charge(_CHANNEL_SYMBOLS * sum(map(_natural, runs[1::2])))
        op["order"] = _order(runs)
        node["op"] = op
    names.append(node["name"])
    return node


def _runs(order: Sequence[int]) -> list[int]:
    runs: list[int] = []
    for channel in order:
        start, count = runs[-2:] if runs else (-2, 0)
        if channel == (-1 if start == -1 else start + count) and runs:
            runs[-1] += 1
        else:
            runs += [channel, 1]
    return runs


def _order(runs: Sequence[int]) -> list[int]:
    order: list[int] = []
    for start, count in zip(runs[::2], runs[1::2], strict=True):
        order += [-1] * count if start == -1 else range(_natural(start), start + count)
    return order


def _brief_shapes(shapes: Sequence[list[int]]) -> list[Any]:
    short: list[Any] = []
    before, wide = None, None
    for shape in shapes:
        if len(shape) == 1 and shape[0] == before:
            short.append(0)
        elif len(shape) > 1 and shape[1] == wide:
            short.append([shape[0], 0, *shape[2:]])
        else:
            short.append(shape)
        before = shape[0] if shape else None
        wide = shape[0] if len(shape) > 1 else wide
    return short


def _full_shapes(short: Sequence[Any]) -> list[list[Any]]:
    shapes: list[list[Any]] = []
    before, wide = None, None
    for item in short:
        shape = [before] if item == 0 else list(item)
        if len(shape) > 1 and shape[1] == 0 and wide is not None:
            shape[1] = wide
        shapes.append(shape)
        before = shape[0] if shape else None
        wide = shape[0] if len(shape) > 1 else wide
    return shapes


def _brief_sections(sections: Sequence[Any]) -> list[Any]:
    short: list[Any] = []
    held, first = set[int](), 0
    for layout, numbers in sections:
        follow = numbers[:1] == [first] and numbers == _free(held, first, len(numbers))
        short.append([layout, len(numbers) if follow else numbers])
        held.update(numbers)
        first = _free(held, first, 1)[0]
    return short


def _full_sections(short: Sequence[Any], tensors: int) -> list[Any]:
    sections: list[Any] = []
    held, first = set[int](), 0
    for layout, item in short:
        if not isinstance(item, list) and _natural(item) > tensors:
            raise ValueError(f"a section of {item} tensors")
        numbers = item if isinstance(item, list) else _free(held, first, item)
        sections.append([layout, numbers])
        held.update(numbers)
        first = _free(held, first, 1)[0]
    return sections


def _free(held: set[int], first: int, count: int) -> list[int]:
    """Return so many numbers from `first` on that are not held."""
    found: list[int] = []
    while len(found) < count:
        if first not in held:
            found.append(first)
        first += 1
    return found


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a number")
    return value
