"""The fractal block: columns of different depth, joined by means wherever they meet.

f_1(z) = unit(z); f_{C+1}(z) = mean(f_C(f_C(z)), unit(z)). Column c of C (0 is the shallowest) has
2^c units, each spanning 2^(C−1−c) steps; the block is 2^(C−1) units deep and has 2^C − 1 of them.
A join is the mean of the columns that end at its step.

In training, *drop-path* leaves out inputs of the joins. Local: each input of each join with a
probability, one at least staying. Global: of one image a single column, through the whole network.

Source: Larsson, Maire, Shakhnarovich, "FractalNet: Ultra-Deep Neural Networks without Residuals",
2017.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from gossamer.errors import SpecError

LOCAL = -1


@dataclass(frozen=True)
class DropPath:
    """What drop-path does to each image of one batch.

    Args:
        column: (N,) int64, the one column that an image takes, or `LOCAL`.
        probability: of each input of a join to be dropped, for the images with `LOCAL`.
        generator: of the local choices; None: PyTorch's own.

    Examples:
        >>> DropPath.only(2, images=3).column.tolist()
        [2, 2, 2]
    """

    column: Tensor
    probability: float = 0.0
    generator: torch.Generator | None = None

    @classmethod
    def only(cls, column: int, images: int) -> DropPath:
        """Return the choice of one column for all images: a plain network inside the fractal."""
        return cls(torch.full((images,), column))

    @classmethod
    def draw(
        cls,
        images: int,
        columns: int,
        *,
        probability: float = 0.15,
        global_share: float = 0.5,
        generator: torch.Generator | None = None,
    ) -> DropPath:
        """Draw a column for the first ⌊share·N⌋ images; the others drop locally.

        The same state of the generator gives the same choices.
        """
        column = torch.full((images,), LOCAL)
        drawn = int(images * global_share)
        column[:drawn] = torch.randint(columns, (drawn,), generator=generator)
        return cls(column, probability, generator)

    def weights(self, ends: Sequence[int]) -> Tensor:
        """Return what each column that ends at a join counts for: (len(ends), N), columns sum to 1.

        An image whose column does not end here takes the plain mean, which nothing then reads.
        """
        images = len(self.column)
        kept = torch.rand(len(ends), images, generator=self.generator) >= self.probability
        rescued = torch.randint(len(ends), (images,), generator=self.generator)
        rescue = nn.functional.one_hot(rescued, len(ends)).T.bool() & ~kept.any(0)
        chosen = torch.tensor(list(ends))[:, None] == self.column
        plain = ~chosen.any(0)
        alive = torch.where(self.column == LOCAL, kept | rescue, chosen | plain).float()
        return alive / alive.sum(0)


class FractalBlock(nn.Module):
    """C columns of units with joins, from (N, C_in, H, W) to (N, K, H, W).

    Args:
        in_channels: of the input.
        out_channels: K.
        columns: C ≥ 1.
        unit: from (in, out) to a module that keeps H and W.

    Raises:
        SpecError: if there is no column.

    Examples:
        >>> block = FractalBlock(3, 8, 3, lambda c, k: nn.Conv2d(c, k, 3, padding=1))
        >>> len(list(block.modules())) - 5, block(torch.zeros(2, 3, 8, 8)).shape
        (7, torch.Size([2, 8, 8, 8]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        columns: int,
        unit: Callable[[int, int], nn.Module],
    ) -> None:
        super().__init__()
        if columns < 1:
            raise SpecError("a fractal block has at least one column", got=columns)
        self.columns = nn.ModuleList(
            nn.ModuleList(
                unit(out_channels if i else in_channels, out_channels) for i in range(2**c)
            )
            for c in range(columns)
        )

    def forward(self, x: Tensor, drop: DropPath | None = None) -> Tensor:
        """Return the last join; with no `drop` every join is the mean of all its inputs."""
        steps = 2 ** (len(self.columns) - 1)
        inputs = [x] * len(self.columns)
        for step in range(1, steps + 1):
            ends = [c for c in range(len(inputs)) if step % (steps >> c) == 0]
            outputs = [self._unit(c, step // (steps >> c) - 1)(inputs[c]) for c in ends]
            joined = _join(outputs, ends, drop)
            for c in ends:
                inputs[c] = joined
        return inputs[-1]

    def _unit(self, column: int, index: int) -> nn.Module:
        return self.get_submodule(f"columns.{column}.{index}")


def _join(outputs: list[Tensor], ends: Sequence[int], drop: DropPath | None) -> Tensor:
    if len(outputs) == 1:
        return outputs[0]
    if drop is None:
        return reduce(torch.add, outputs) * (1 / len(outputs))
    weights = drop.weights(ends).to(outputs[0])
    terms = [w.view(-1, 1, 1, 1) * y for w, y in zip(weights, outputs, strict=True)]
    return reduce(torch.add, terms)
