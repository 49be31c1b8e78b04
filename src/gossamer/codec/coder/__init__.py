"""Coders of symbols: one contract, checked for all of them by `tests/contracts/test_coders.py`."""

from gossamer.codec.coder.coder import Coder
from gossamer.registry import Registry

# The place in this table is the coder's number in files: append only.
CODERS = Registry(
    "coder",
    {
        "raw": "gossamer.codec.coder.raw:RAW",
        "huffman": "gossamer.codec.coder.huffman:HUFFMAN",
        "ans": "gossamer.codec.coder.ans:ANS",
    },
)

__all__ = ["CODERS", "Coder"]
