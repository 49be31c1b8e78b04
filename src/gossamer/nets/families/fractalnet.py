"""FractalNet for CIFAR: five fractal blocks with 2×2 max pools after them; "21 layers" deep.

Each block joins its columns and then pools (the authors' generator pools every column first). A
unit is 3×3 convolution without bias → norm → ReLU → dropout. With three columns and the widths 64,
128, 256, 512, 512 that makes 33.7 M parameters, as another toolkit counts too; no reading gives the
38.6 M that the paper prints. In training the first half of each batch takes one column an image
through the whole network, the rest drops inputs of the joins.

Source: Larsson, Maire, Shakhnarovich, "FractalNet: Ultra-Deep Neural Networks without Residuals",
2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.fractal import DropPath, FractalBlock
from gossamer.nets.network import Network

_SOURCE = "FractalNet (Larsson et al. 2017), CIFAR"
_WIDTHS = (64, 128, 256, 512, 512)
_DROPOUT = (0.0, 0.1, 0.2, 0.3, 0.4)


class FractalNet(nn.Module):
    """Fractal blocks with pools, global average pool and a linear layer.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        widths: channels of each block.
        columns: C ≥ 1 of every block; a block is 2^(C − 1) convolutions deep.
        dropout: probability in each block.
        drop_path: probability with which an input of a join is dropped.
        global_share: fraction of a batch that takes one column an image.

    Raises:
        SpecError: if a number is out of range.

    Examples:
        >>> import torch
        >>> model = FractalNet(10, 3, widths=(4, 4), dropout=(0, 0)).eval()
        >>> x = torch.zeros(2, 3, 8, 8)
        >>> deepest = model(x, DropPath.only(2, images=2))  # a plain network of eight convolutions
        >>> model(x).shape, deepest.shape
        (torch.Size([2, 10]), torch.Size([2, 10]))
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        widths: Sequence[int] = _WIDTHS,
        columns: int = 3,
        dropout: Sequence[float] = _DROPOUT,
        drop_path: float = 0.15,
        global_share: float = 0.5,
    ) -> None:
        super().__init__()
        chances = (*dropout, drop_path, global_share)
        fit = widths and min(widths) > 0 and len(widths) == len(dropout)
        if not fit or not all(0 <= p <= 1 for p in chances):
            got = f"widths={widths}, dropout={dropout}, {drop_path=}, {global_share=}"
            raise SpecError("a width and a dropout for each block, chances in 0 … 1", got=got)
        self.drop_path, self.global_share, self.columns = drop_path, global_share, columns
        self.blocks = nn.ModuleList(
            FractalBlock(before, after, columns, partial(_unit, dropout=p))
            for before, after, p in zip([in_channels, *widths], widths, dropout, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.final_pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor, drop: DropPath | None = None) -> Tensor:
        """Map (N, C, H, W) to logits (N, num_classes).

        Args:
            x: images; H and W at least 2^blocks.
            drop: what drop-path does; by default drawn in training, nothing in evaluation.
        """
        if drop is None and self.training:
            drop = DropPath.draw(
                len(x), self.columns, probability=self.drop_path, global_share=self.global_share
            )
        for block in self.blocks:
            x = self.pool(block(x, drop))
        return self.head(self.final_pool(x).flatten(1))


def _unit(in_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    unit = conv_norm_act(in_channels, out_channels)
    if dropout:
        unit.add_module("dropout", nn.Dropout(dropout))
    return unit


FRACTALNET_21 = Network(
    "fractalnet-21-cifar",
    FractalNet,
    (3, 32, 32),
    10,
    _SOURCE,
    33_724_618,
    macs=845_222_912,
    paper="38.6 M",
    smallest=32,
)
