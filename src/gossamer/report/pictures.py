"""Small pictures as text that stands inside a page: PNG data addresses and inline SVG."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from gossamer.errors import ShapeError

_INK = (58, 134, 180)  # blue that reads on white and on near-black alike
_MAX_WIDTH, _MAX_HEIGHT = 576, 216  # of a picture of nonzeros, in pixels


def encode_png(pixels: np.ndarray, palette: Sequence[tuple[int, int, int, int]] = ()) -> bytes:
    """Return a PNG file of 8-bit pixels.

    Args:
        pixels: uint8 (H, W); grey levels, or indices of `palette` if that is given.
        palette: red, green, blue and opacity, 0…255 each.

    Raises:
        ShapeError: if the pixels are not a non-empty uint8 matrix.

    Source: W3C, "Portable Network Graphics", second edition, sections 5 and 11.
    """
    if pixels.ndim != 2 or not pixels.size or pixels.dtype != np.uint8:
        raise ShapeError(
            "a picture is a uint8 matrix", got=(pixels.dtype.name, pixels.shape), expected="(H, W)"
        )
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row starts with its filter: none
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3 if palette else 0, 0, 0, 0)
    colours = bytes(value for colour in palette for value in colour[:3])
    opacities = bytes(colour[3] for colour in palette)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", header),
            (b"PLTE", colours),
            (b"tRNS", opacities),
            (b"IDAT", zlib.compress(rows.tobytes(), 9)),
            (b"IEND", b""),
        )
        if data or kind == b"IEND"
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def image(png: bytes, alt: str, *, width: int, height: int) -> str:
    """Return an `<img>` that holds the picture itself, drawn at that size without smoothing."""
    data = b64encode(png).decode("ascii")
    return (
        f'<img class=pixels width={width} height={height} alt="{escape(alt)}" '
        f'src="data:image/png;base64,{data}">'
    )


def picture_nonzeros(weight: np.ndarray, name: str) -> str:
    """Return a picture of where a weight tensor is not zero.

    The tensor is drawn as a matrix of output channels by inputs of their filters, its longer side
    across, each weight one to four pixels wide.

    Args:
        weight: (K, C/G, R, S) or (K, F).
        name: of the tensor, for those who cannot see the picture.
    """
    mask = (weight.reshape(len(weight), -1) != 0).astype(np.uint8)
    if mask.shape[0] > mask.shape[1]:
        mask = np.ascontiguousarray(mask.T)
    height, width = mask.shape
    scale = int(np.clip(min(_MAX_WIDTH // width, _MAX_HEIGHT // height), 1, 4))
    png = encode_png(mask, palette=((0, 0, 0, 0), (*_INK, 255)))
    alt = f"nonzeros of {name}: {mask.mean():.1%} of {mask.size:,} weights"
    return image(png, alt, width=width * scale, height=height * scale)


def picture_grey(pixels: np.ndarray, alt: str, *, size: int = 64) -> str:
    """Return a grey picture (H, W) of 0…255, `size` pixels wide on the page."""
    height, width = pixels.shape
    png = encode_png(pixels.astype(np.uint8))
    return image(png, alt, width=size, height=round(size * height / width))


@dataclass(frozen=True)
class Part:
    """One part of a whole: a name and how much of it there is."""

    name: str
    amount: float


def stacked_bar(parts: Sequence[Part], unit: str) -> str:
    """Return one bar cut into parts, each with its share as a tooltip, and a legend below.

    At most seven parts are told apart, the largest ones in the given order; the rest become one
    part, "others".
    """
    shown = _largest(parts, 7)
    total = sum(part.amount for part in shown) or 1.0
    left, rectangles, labels = 0.0, [], []
    for number, part in enumerate(shown):
        width = 1000 * part.amount / total
        text = f"{escape(part.name)}: {part.amount:,.0f} {escape(unit)} ({part.amount / total:.1%})"
        rectangles.append(
            f'<rect class="part{number}" x="{left:.2f}" y="0" width="{width:.2f}" height="40">'
            f"<title>{text}</title></rect>"
        )
        labels.append(f'<li><span class="swatch part{number}"></span>{text}</li>')
        left += width
    return (
        '<svg class=bar viewBox="0 0 1000 40" preserveAspectRatio="none" role=img '
        f'aria-label="{escape(unit)} of each part">{"".join(rectangles)}</svg>'
        f"<ul class=legend>{''.join(labels)}</ul>"
    )


def _largest(parts: Sequence[Part], count: int) -> list[Part]:
    if len(parts) <= count:
        return list(parts)
    ranked = sorted(parts, key=lambda part: part.amount, reverse=True)
    kept = {id(part) for part in ranked[: count - 1]}
    rest = sum(part.amount for part in ranked[count - 1 :])
    return [*(part for part in parts if id(part) in kept), Part("others", rest)]
