"""Pieces of a drawing in SVG that are stacked below each other to one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

CHARACTER_WIDTH = 6.7  # of the fixed-width letters of a drawing, in pixels
_MARGIN = 28


@dataclass(frozen=True)
class Drawing:
    """SVG elements and the room that they take.

    Args:
        body: SVG, drawn from (0, 0).
        width: in pixels.
        height: in pixels.
    """

    body: str
    width: float
    height: float


def letters(x: float, y: float, text: str, style: str = "") -> str:
    """Return a line of plain text whose left end stands on (x, y).

    Examples:
        >>> letters(0, 12, "a < b", "soft")
        '<text x="0" y="12" class="soft">a &lt; b</text>'
    """
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{kind}>{escape(text)}</text>'


def text_width(text: str) -> float:
    """Return about how wide a line of text is, in pixels."""
    return CHARACTER_WIDTH * len(text)


def shorten(text: str, most: int) -> str:
    """Return text of at most `most` letters, its middle left out where it is longer.

    Examples:
        >>> shorten("features.denseblock1.conv", 15)
        'feature…1.conv'
    """
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[len(text) - (most - 2 - half) :]}"


def stack(pieces: Sequence[Drawing], gap: float = 24) -> Drawing:
    """Return drawings below each other, left-aligned."""
    bodies, height = [], 0.0
    for piece in pieces:
        bodies.append(f'<g transform="translate(0 {height:g})">{piece.body}</g>')
        height += piece.height + gap
    return Drawing("".join(bodies), max(piece.width for piece in pieces), height - gap)


def document(drawing: Drawing, description: str) -> str:
    """Return a drawing as the text of an SVG file, light and dark."""
    style = files("gossamer.report").joinpath("connectivity.css").read_text(encoding="utf-8")
    width, height = drawing.width + 2 * _MARGIN, drawing.height + 2 * _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
        f"<title>{escape(description)}</title><style>\n{style}</style>\n"
        f'<g transform="translate({_MARGIN} {_MARGIN})">{drawing.body}</g></svg>\n'
    )
