"""Other coders of networks' weights, for sizes in one table: integers and floats to bytes.

General compressors are given a byte (or two) for each weight, or a bitmap and the others, one
stream for a whole network, whichever is smaller; floats as they are or byte plane after byte plane.
nncodec is asked by its coder alone, without quantisation of the integers and without the headers of
its container; it has no coder of floats, so they are rounded to the step that it gives to what is
not a weight, which loses bits that the others keep.
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
_FLOAT_STEP = 1.25 * 2.0**-19  # nncodec's quantisation parameter of −75, of density 2


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
    levels = np.rint(floats.astype(np.float64) / _FLOAT_STEP)
    if np.abs(levels).max(initial=0) > 2**30:
        return floats.nbytes
    return min(nncodec_bytes([levels.astype(np.int64).reshape(1, -1)]), floats.nbytes)


def _zstandard(data: bytes) -> bytes:
    import zstandard  # pyright: ignore[reportMissingImports]

    return zstandard.ZstdCompressor(level=22).compress(data)


def _brotli(data: bytes) -> bytes:
    import brotli  # pyright: ignore[reportMissingImports]

    return brotli.compress(data)


def _lzma(data: bytes) -> bytes:
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)


HUFFMAN_CODES = Rival(deep_compression_bytes, _huffman_floats)
LZMA = Rival(_smaller(_lzma), _smaller_floats(_lzma))
ZSTANDARD = Rival(_smaller(_zstandard), _smaller_floats(_zstandard))
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


def rival_bytes(name: str, tensors: Tensors, floats: np.ndarray) -> tuple[int, int] | None:
    """Return the bytes that a rival takes for integers, and for floats; None if not installed.

    Raises:
        UnknownNameError: for a name that there is not.
    """
    code = RIVALS[name]
    try:
        return code.integers(tensors), code.floats(floats) if floats.size else 0
    except ModuleNotFoundError:
        return None
