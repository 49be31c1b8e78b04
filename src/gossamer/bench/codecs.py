"""Other coders of networks' weights, for sizes in one table: integers and floats to bytes.

General compressors are given a byte (or two) for each weight, or a bitmap and the others, one
stream for a whole network, whichever is smaller; floats as they are or byte plane after byte plane.
nncodec is asked by its coder alone, without quantisation of the integers and without the headers of
its container. It has no coder of floats; by itself it would round them, which loses bits that the
others keep. Here it codes signs and exponents as integers, and mantissas are kept as they are;
where another rival in the comparison takes fewer bytes for the floats, it is counted with those.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gossamer.codec.coder.huffman import HUFFMAN
from gossamer.codec.gaps import GapForm, run_gaps, symbol_counts, widths
from gossamer.registry import Registry

Tensors = Sequence[np.ndarray]
_CONTEXT_TRIALS = 1
_UNARY_LENGTH = 11
_MANTISSA_BITS = 23


@dataclass(frozen=True)
class Rival:
    """A coder: what integer tensors take, and what float32 values take, in bytes."""

    integers: Callable[[Tensors], int]
    floats: Callable[[np.ndarray], int]


def deep_compression_bytes(tensors: Tensors) -> int:
    """Return what Huffman codes take, tables included: of all weights, or of gaps and the others.

    Deep compression (Han et al. 2016) codes gaps and values; here the best width of gaps, and no
    gaps where all weights together take less.
    """
    return sum(min(_huffman(tensor), _gaps_and_values(tensor)) for tensor in tensors)


def _huffman(values: np.ndarray) -> int:
    if not values.size:
        return 0
    return HUFFMAN.size_bytes(np.bincount(values.ravel() - values.min()))


def _gaps_and_values(tensor: np.ndarray) -> int:
    positions = np.flatnonzero(tensor)
    if not len(positions):
        return 0
    gaps, counts = np.unique(run_gaps(positions, tensor.shape, False), return_counts=True)
    forms = [GapForm(bits, False) for bits in widths(int(gaps[-1]))]
    smallest = min(HUFFMAN.size_bytes(symbol_counts(gaps, counts, form)) for form in forms)
    return smallest + _huffman(tensor.ravel()[positions])


def _smaller(compress: Callable[[bytes], bytes]) -> Callable[[Tensors], int]:
    """Return a coder's size of whole weights, or of a bitmap and the weights that are not zero."""

    def size_bytes(tensors: Tensors) -> int:
        flat = np.concatenate([tensor.ravel() for tensor in tensors])
        small = flat.astype(np.int8 if np.abs(flat).max(initial=0) < 128 else np.int16)
        bitmap = np.packbits(flat != 0).tobytes()
        apart = len(compress(bitmap)) + len(compress(small[flat != 0].tobytes()))
        return min(len(compress(small.tobytes())), apart)

    return size_bytes


def nncodec_bytes(tensors: Tensors) -> int:
    """Return what nncodec takes at its strongest."""
    from nncodec.extensions import deepCABAC  # pyright: ignore[reportMissingImports]

    total = 0
    for tensor in tensors:
        encoder = deepCABAC.Encoder()
        encoder.initCtxModels(_UNARY_LENGTH, _CONTEXT_TRIALS)
        levels = np.ascontiguousarray(tensor, np.int32)
        rows = np.zeros(len(levels), np.int32)
        off = (deepCABAC.HdspMode.AlwaysOff, np.zeros(0, np.int8))
        encoder.encodeLayer(levels, 0, 0, 0, 0, 0, rows, *off, 0, 0)
        total += len(encoder.finish())
    return total


def _planes(floats: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(floats, "<f4").view(np.uint8).reshape(-1, 4).T


def _huffman_floats(floats: np.ndarray) -> int:
    return sum(HUFFMAN.size_bytes(np.bincount(plane, minlength=256)) for plane in _planes(floats))


def _smaller_floats(compress: Callable[[bytes], bytes]) -> Callable[[np.ndarray], int]:
    def size_bytes(floats: np.ndarray) -> int:
        planes = _planes(floats)
        return min(len(compress(planes.T.tobytes())), len(compress(planes.tobytes())))

    return size_bytes


def _nncodec_floats(floats: np.ndarray) -> int:
    """Return what signs and exponents take as integers around zero, and mantissas as they are."""
    bits = np.ascontiguousarray(floats, np.float32).view(np.uint32)
    exponents = (bits >> _MANTISSA_BITS & 255).astype(np.int64)
    below = exponents.max(initial=0) + 1 - exponents
    signed = np.where(bits >> 31, -below, below)
    return nncodec_bytes([signed.reshape(1, -1)]) + (_MANTISSA_BITS * floats.size + 7) // 8


def zstandard_compress(data: bytes) -> bytes:
    """Return what zstandard makes of bytes at its strongest."""
    import zstandard  # pyright: ignore[reportMissingImports]

    return zstandard.ZstdCompressor(level=22).compress(data)


def _brotli(data: bytes) -> bytes:
    import brotli  # pyright: ignore[reportMissingImports]

    return brotli.compress(data)


def _lzma(data: bytes) -> bytes:
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)


HUFFMAN_CODES = Rival(deep_compression_bytes, _huffman_floats)
LZMA = Rival(_smaller(_lzma), _smaller_floats(_lzma))
ZSTANDARD = Rival(_smaller(zstandard_compress), _smaller_floats(zstandard_compress))
BROTLI = Rival(_smaller(_brotli), _smaller_floats(_brotli))
NNCODEC = Rival(nncodec_bytes, _nncodec_floats)

RIVALS = Registry(
    "rival coder",
    {
        "huffman": "gossamer.bench.codecs:HUFFMAN_CODES",
        "lzma": "gossamer.bench.codecs:LZMA",
        "zstandard": "gossamer.bench.codecs:ZSTANDARD",
        "brotli": "gossamer.bench.codecs:BROTLI",
        "nncodec": "gossamer.bench.codecs:NNCODEC",
    },
)


def rival_sizes(
    names: Sequence[str], tensors: Tensors, floats: np.ndarray
) -> dict[str, tuple[int, int] | None]:
    """Return for each rival the bytes of integers, and of floats; None if it is not installed.

    nncodec is given the floats of whichever of the rivals takes the fewest bytes for them.

    Raises:
        UnknownNameError: for a name that there is not.
    """
    sizes = {name: rival_bytes(name, tensors, floats) for name in names}
    fewest = min((size[1] for size in sizes.values() if size), default=0)
    if found := sizes.get("nncodec"):
        sizes["nncodec"] = found[0], fewest
    return sizes


def rival_bytes(name: str, tensors: Tensors, floats: np.ndarray) -> tuple[int, int] | None:
    """Return the bytes that a rival alone takes for integers, and for floats.

    Nothing if it is not installed.

    Raises:
        UnknownNameError: for a name that there is not.
    """
    code = RIVALS[name]
    try:
        return code.integers(tensors), code.floats(floats) if floats.size else 0
    except ModuleNotFoundError:
        return None
