"""How much each layer bears, as a table and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossamer.report.drawing import Drawing, document, letters, shorten, stack, text_width
from gossamer.report.table import Table

if TYPE_CHECKING:
    from gossamer.compress.sensitivity import Curve, Sensitivity

_CELL_WIDTH, _ROW, _LONGEST = 52, 18, 44
_WORDS = {
    "sparsity": "zeros among the weights of one layer",
    "bits": "bits of the weights of one layer",
    "channels": "channels removed from layers that hang together",
}


def sensitivity_table(found: Sensitivity, network: str) -> Table:
    """Return a line a layer: the accuracy at each level, in percent."""
    rows = tuple(
        (_name(curve), f"{curve.weights:,}", *(f"{100 * a:.1f}" for a in curve.accuracies))
        for curve in found.curves
    )
    heads = ("layer", "weights", *(level_text(found.over, level) for level in found.levels))
    return Table(heads, rows, _title(found, network), words=1)


def draw_sensitivity(found: Sensitivity, network: str) -> str:
    """Return a picture as the text of an SVG file: a row a layer, the darker the more is lost.

    Cells say the accuracy of the network in percent; full colour means that all of it is gone.
    """
    names = [shorten(_name(curve), _LONGEST) for curve in found.curves]
    left = max([text_width(name) for name in names], default=0.0) + 12
    heads = "".join(
        letters(left + _CELL_WIDTH * i + 6, 12, level_text(found.over, level), "soft")
        for i, level in enumerate(found.levels)
    )
    rows = [
        letters(0, 32 + _ROW * i, name) + _cells(curve, found.accuracy, left, 20 + _ROW * i)
        for i, (name, curve) in enumerate(zip(names, found.curves, strict=True))
    ]
    grid = Drawing(
        heads + "".join(rows), left + _CELL_WIDTH * len(found.levels), 20 + _ROW * len(rows)
    )
    title, what = _title(found, network), _WORDS[found.over]
    head = Drawing(
        letters(0, 16, title, "head")
        + letters(0, 36, f"accuracy in percent against {what}", "soft"),
        text_width(title) * 1.2,
        36,
    )
    return document(stack([head, grid], gap=14), f"sensitivity of {network}")


def level_text(over: str, level: float) -> str:
    """Return a level as the head of a column.

    Examples:
        >>> level_text("sparsity", 0.95), level_text("bits", 4)
        ('95%', '4 bits')
    """
    return f"{level:.0f} bits" if over == "bits" else f"{100 * level:g}%"


def _cells(curve: Curve, whole: float, left: float, top: float) -> str:
    """Return a row of coloured cells with numbers."""
    parts = []
    for i, found in enumerate(curve.accuracies):
        x, lost = left + _CELL_WIDTH * i, min(1.0, max(0.0, 1 - found / whole if whole else 0.0))
        parts.append(
            f'<rect x="{x:g}" y="{top:g}" width="{_CELL_WIDTH - 2}" height="{_ROW - 2}" '
            f'class="gather" fill-opacity="{lost:.2f}"/>'
            + letters(x + 6, top + 12, f"{100 * found:.1f}")
        )
    return "".join(parts)


def _name(curve: Curve) -> str:
    """Return one name, or the first and how many more."""
    first, more = curve.layers[0], len(curve.layers) - 1
    return f"{first} and {more} more" if more else first


def _title(found: Sensitivity, network: str) -> str:
    return f"{network}, {100 * found.accuracy:.1f}% on {found.images:,} pictures as it is"
