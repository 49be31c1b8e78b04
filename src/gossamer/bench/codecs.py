"""Other coders of integer weights, for sizes in one table: each takes tensors and gives bytes.

General compressors are given a byte (or two) for each weight, or a bitmap and the others, one
stream for a whole network, whichever is smaller. nncodec is asked by its coder alone, without
quantisation and without the headers of its container.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Sequence

import numpy as np

from gossamer.codec.coder.huffman import HUFFMAN
from gossamer.codec.gaps import GapForm, run_gaps, symbol_counts, widths
from gossamer.registry import Registry

Tensors = Sequence[np.ndarray]
_CONTEXT_TRIALS = 1
_UNARY_LENGTH = 11


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


def lzma_bytes(tensors: Tensors) -> int:
    """Return what lzma takes at its strongest."""
    return _smaller(lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))(tensors)


def zstandard_bytes(tensors: Tensors) -> int:
    """Return what zstandard takes at its strongest."""
    import zstandard  # pyright: ignore[reportMissingImports]

    return _smaller(zstandard.ZstdCompressor(level=22).compress)(tensors)


def brotli_bytes(tensors: Tensors) -> int:
    """Return what brotli takes at its strongest."""
    import brotli  # pyright: ignore[reportMissingImports]

    return _smaller(brotli.compress)(tensors)


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


RIVALS = Registry(
    "rival coder",
    {
        "huffman": "gossamer.bench.codecs:deep_compression_bytes",
        "lzma": "gossamer.bench.codecs:lzma_bytes",
        "zstandard": "gossamer.bench.codecs:zstandard_bytes",
        "brotli": "gossamer.bench.codecs:brotli_bytes",
        "nncodec": "gossamer.bench.codecs:nncodec_bytes",
    },
)


def rival_bytes(name: str, tensors: Tensors) -> int | None:
    """Return the bytes that a rival takes, None if it is not installed.

    Raises:
        UnknownNameError: for a name that there is not.
    """
    code = RIVALS[name]
    try:
        return code(tensors)
    except ModuleNotFoundError:
        return None
