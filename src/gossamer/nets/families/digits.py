"""Two small networks for 8×8 grey digits: plain convolutions, and interleaved group convolutions.

Both are meant to be trained, compressed and measured within a minute on two cores.
"""

from __future__ import annotations

from torch import nn

from gossamer.nets.blocks.chain import classifier_chain
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.igc import igc_block
from gossamer.nets.network import Network

_SOURCE = "scikit-learn load_digits (UCI optical recognition of handwritten digits)"


def plain(num_classes: int, in_channels: int, width: int = 64) -> nn.Module:
    """Return five 3×3 convolutions, the second with stride 2, and a linear layer.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        width: channels after the stem, which has half of them; even.
    """
    blocks = [
        conv_norm_act(width // 2, width, stride=2),
        *(conv_norm_act(width, width) for _ in range(3)),
    ]
    return classifier_chain(conv_norm_act(in_channels, width // 2), blocks, width, num_classes)


def interleaved(
    num_classes: int, in_channels: int, primary: int = 8, secondary: int = 24
) -> nn.Module:
    """Return a stem and three interleaved blocks, the first with stride 2, and a linear layer.

    Args:
        num_classes: length of the output.
        in_channels: C of the input.
        primary: L, groups of the 3×3 convolutions.
        secondary: M, groups of the 1×1 convolutions, even; the blocks are L·M channels wide.
    """
    width = primary * secondary
    blocks = [
        igc_block(width // 2, width, primary, stride=2),
        *(igc_block(width, width, primary) for _ in range(2)),
    ]
    return classifier_chain(conv_norm_act(in_channels, width // 2), blocks, width, num_classes)


PLAIN = Network("digits-plain", plain, (1, 8, 8), 10, _SOURCE, 130_538, 2_083_456)
INTERLEAVED = Network("digits-igc", interleaved, (1, 8, 8), 10, _SOURCE, 112_426, 1_789_824)
