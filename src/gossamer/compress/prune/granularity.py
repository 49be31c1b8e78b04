"""Which weights live and die together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.errors import PassError

_WHOLE = 1 << 40  # more rows or columns than any weight has
_EXPECTED = "element, filter, layer, blocks such as 4x1 (rows x columns), or N:M such as 2:4"


@dataclass(frozen=True)
class Granularity:
    """Units of `rows` filters times `columns` entries of each; or N:M.

    A weight (K, C, R, S) is the matrix (K, C·R·S), one filter a row, with columns in that order.
    Blocks begin anew in each group of a grouped convolution; the last ones may be smaller.

    Args:
        rows: of a block.
        columns: of a block.
        keep: n of N:M: at most so many nonzeros in `of` neighbouring input channels at the same
            place of the kernel; 0 if this is no N:M.
        of: m of N:M.
    """

    rows: int = 1
    columns: int = 1
    keep: int = 0
    of: int = 0

    @property
    def is_element(self) -> bool:
        """Whether each weight stands for itself."""
        return self.rows == self.columns == 1 and not self.keep

    @property
    def is_layer(self) -> bool:
        """Whether the layer is one unit."""
        return self.rows == self.columns == _WHOLE

    def labels(self, shape: Sequence[int], groups: int = 1) -> Tensor:
        """Return the number of the unit of each weight, int64 of the given shape, 0… densely.

        The units of N:M are its groups of `of` weights.

        Args:
            shape: of the weight, (K, C/G, R, S) or (K, F).
            groups: G.

        Examples:
            >>> parse_granularity("2x2").labels((4, 3))
            tensor([[0, 0, 1],
                    [0, 0, 1],
                    [2, 2, 3],
                    [2, 2, 3]])
        """
        rows, row = _blocks(shape[0] // groups, self.rows)
        row = torch.cat([row + group * rows for group in range(groups)])
        column = self.columns_of(shape)
        labels = row[:, None] * (int(column.max()) + 1) + column[None, :]
        return labels.view(tuple(shape))

    def columns_of(self, shape: Sequence[int]) -> Tensor:
        """Return the number of the unit of each column within its row, int64 (C/G·R·S,)."""
        if not self.keep:
            size = shape[1:].numel() if isinstance(shape, torch.Size) else _product(shape[1:])
            return _blocks(size, self.columns)[1]
        channels, kernel = shape[1], _product(shape[2:])
        count, channel = _blocks(channels, self.of)
        return (channel[:, None] + count * torch.arange(kernel)[None, :]).flatten()


def parse_granularity(text: str, *, where: str = "granularity") -> Granularity:
    """Return the granularity that a text names.

    Args:
        text: "element", "filter", "layer", "4x1" (four filters, one column), "1x8", "2:4" (at most
            two nonzeros in four input channels).
        where: for messages.

    Raises:
        PassError: if it names none.

    Examples:
        >>> parse_granularity("4x1")
        Granularity(rows=4, columns=1, keep=0, of=0)
    """
    named = {
        "element": Granularity(),
        "filter": Granularity(1, _WHOLE),
        "layer": Granularity(_WHOLE, _WHOLE),
    }
    if text in named:
        return named[text]
    if match := re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text):
        return Granularity(int(match[1]), int(match[2]))
    if (match := re.fullmatch(r"([1-9]\d{0,5}):([1-9]\d{0,5})", text)) and (
        int(match[1]) < int(match[2])
    ):
        return Granularity(keep=int(match[1]), of=int(match[2]))
    raise PassError("unknown granularity", where=where, got=text, expected=_EXPECTED)


def _blocks(size: int, length: int) -> tuple[int, Tensor]:
    """Return how many blocks there are, and the block of each position."""
    block = torch.arange(size) // length
    return -(-size // length), block


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for size in sizes:
        result *= int(size)
    return result
