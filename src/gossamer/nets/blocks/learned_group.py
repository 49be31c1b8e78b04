"""A group convolution that learns which inputs each group reads, and the form it then takes.

Training starts with a dense 1×1 convolution. Its filters are in G groups: group g holds the outputs
g, g + G, g + 2·G, … In C − 1 steps every group drops C_in/C of its inputs, those whose weights
in the group have the least sum of magnitudes, until C_in/C inputs remain. What is left is then a
channel selection, an ordinary group convolution and a channel shuffle.

Source: Huang, Liu, van der Maaten, Weinberger, "CondenseNet: An Efficient DenseNet using Learned
Group Convolutions", 2018.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.conv import conv2d
from gossamer.nets.blocks.shuffle import ChannelShuffle


class LearnedGroupConv(nn.Conv2d):
    """A 1×1 convolution from (N, C_in, H, W) to (N, K, H, W) that is being condensed.

    Args:
        in_channels: C_in, a multiple of the condensation factor.
        out_channels: K, a multiple of G.
        groups: G ≥ 1.
        factor: C ≥ 1, the condensation factor: one input of C remains.

    Raises:
        SpecError: if a width is not a multiple.

    Examples:
        >>> layer = LearnedGroupConv(8, 4, groups=2, factor=4)
        >>> layer.condense_to(3)
        >>> layer.mask.sum(1).flatten().tolist(), layer.to_index_form().conv.weight.shape
        ([2.0, 2.0, 2.0, 2.0], torch.Size([4, 2, 1, 1]))
    """

    mask: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, *, groups: int = 4, factor: int = 4
    ) -> None:
        _check(in_channels, out_channels, groups, factor)
        super().__init__(in_channels, out_channels, 1, bias=False)
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        self.learned_groups, self.factor = groups, factor
        self.register_buffer("mask", torch.ones_like(self.weight))

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, K, H, W)."""
        return self._conv_forward(input, self.weight * self.mask, None)

    @property
    def stage(self) -> int:
        """How many of the C − 1 condensation steps are done, read off the mask."""
        kept = int(self._by_group(self.mask)[0, 0].sum())
        return self.factor - kept * self.factor // self.in_channels

    def condense_to(self, stage: int) -> None:
        """Drop inputs until that many condensation steps are done; steps are never undone.

        Raises:
            SpecError: if the stage is not in 0 … C − 1.
        """
        if not 0 <= stage < self.factor:
            expected = f"0 … {self.factor - 1}"
            raise SpecError("no such condensation stage", got=stage, expected=expected)
        for step in range(self.stage, stage):
            self._drop((step + 1) * self.in_channels // self.factor)

    @torch.no_grad()
    def _drop(self, dropped: int) -> None:
        """Mask in each group the inputs with the least weights, those masked before included."""
        magnitude = self._by_group((self.weight * self.mask).abs()).sum(0)
        magnitude[self._by_group(self.mask)[0] == 0] = -1  # below every input that still counts
        least = magnitude.argsort(dim=1, stable=True)[:, :dropped]
        for group, inputs in enumerate(least):
            self.mask[group :: self.learned_groups, inputs] = 0

    def _by_group(self, weight: Tensor) -> Tensor:
        """View (K, C_in, 1, 1) as (K/G, G, C_in): axis 1 is the group."""
        return weight.view(-1, self.learned_groups, self.in_channels)

    def group_lasso(self) -> Tensor:
        """Return Σ over groups and inputs of the norm of their weights, to be added to a loss.

        It moves weights to where a whole (group, input) pair can be dropped.
        """
        return self._by_group(self.weight * self.mask).norm(dim=0).sum()

    def kept_inputs(self) -> list[list[int]]:
        """Return for each group the inputs that it reads, in ascending order."""
        return [row.nonzero().flatten().tolist() for row in self._by_group(self.mask)[0]]

    @torch.no_grad()
    def to_index_form(self) -> nn.Sequential:
        """Return the same function as selection → group convolution → shuffle.

        Raises:
            SpecError: if condensation steps are missing.
        """
        if self.stage != self.factor - 1:
            expected = f"stage {self.factor - 1}"
            raise SpecError("not yet condensed", got=f"stage {self.stage}", expected=expected)
        kept = self.kept_inputs()
        form = index_form(
            self.in_channels, self.out_channels, self.learned_groups, self.factor, kept
        )
        rows = [self.weight[g :: self.learned_groups, inputs] for g, inputs in enumerate(kept)]
        form.load_state_dict({"select.index": form.select.index, "conv.weight": torch.cat(rows)})
        return form.to(self.weight.device)


class ChannelSelect(nn.Module):
    """Take the channels of (N, C, H, W), or the features of (N, F), that a list names.

    Examples:
        >>> ChannelSelect([2, 0, 2])(torch.tensor([[5.0, 6.0, 7.0]]))
        tensor([[7., 5., 7.]])
    """

    index: Tensor

    def __init__(self, index: Sequence[int] | Tensor) -> None:
        super().__init__()
        self.register_buffer("index", torch.as_tensor(index, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, len(index), …)."""
        return x.index_select(1, self.index)


def index_form(
    in_channels: int,
    out_channels: int,
    groups: int,
    factor: int,
    kept: Sequence[Sequence[int]] | None = None,
) -> nn.Sequential:
    """Return a condensed convolution: selection → 1×1 group convolution → shuffle.

    Args:
        in_channels: C_in.
        out_channels: K.
        groups: G.
        factor: C.
        kept: for each group the C_in/C inputs that it reads; by default neighbours, which an
            index loaded with the weights replaces.

    Examples:
        >>> index_form(8, 4, groups=2, factor=4).select.index.tolist()
        [0, 1, 2, 3]
    """
    _check(in_channels, out_channels, groups, factor)
    size = in_channels // factor
    flat = [(g * size + i) % in_channels for g in range(groups) for i in range(size)]
    if kept is not None:
        flat = [channel for inputs in kept for channel in inputs]
    return nn.Sequential(
        OrderedDict(
            select=ChannelSelect(flat),
            conv=conv2d(groups * size, out_channels, 1, groups=groups),
            shuffle=ChannelShuffle(groups),
        )
    )


def condensation_stage(progress: float, factor: int) -> int:
    """Return how many steps are due after a fraction of training: all C − 1 by half of it.

    Examples:
        >>> [condensation_stage(p, 4) for p in (0, 0.16, 0.17, 0.34, 0.5, 1)]
        [0, 0, 1, 2, 3, 3]
    """
    return min(factor - 1, int(2 * progress * (factor - 1)))


@torch.no_grad()
def select_features(linear: nn.Linear, kept: int) -> nn.Sequential:
    """Return a linear layer that reads only the inputs with the largest sum of magnitudes.

    Args:
        linear: from (N, F).
        kept: how many of the F inputs to keep, 1 … F.

    Examples:
        >>> layer = select_features(nn.Linear(6, 2), 3)
        >>> layer.linear.in_features, len(layer.select.index)
        (3, 3)
    """
    magnitude = linear.weight.abs().sum(0)
    index = magnitude.argsort(descending=True, stable=True)[:kept].sort().values
    smaller = nn.Linear(kept, linear.out_features, bias=linear.bias is not None)
    smaller.weight.copy_(linear.weight[:, index])
    if linear.bias is not None:
        smaller.bias.copy_(linear.bias)
    return nn.Sequential(OrderedDict(select=ChannelSelect(index), linear=smaller))


def condense_to(model: nn.Module, stage: int) -> None:
    """Bring every learned group convolution of a model to a condensation stage, in place."""
    for module in model.modules():
        if isinstance(module, LearnedGroupConv):
            module.condense_to(stage)


def to_index_form(model: nn.Module) -> None:
    """Replace every learned group convolution inside a model by its index form, in place.

    Raises:
        SpecError: if one of them is not condensed to the end.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LearnedGroupConv):
                setattr(parent, name, child.to_index_form())


def _check(in_channels: int, out_channels: int, groups: int, factor: int) -> None:
    if min(groups, factor) < 1 or in_channels % factor or out_channels % groups:
        raise SpecError(
            "the factor must divide the inputs, the groups the outputs",
            where="learned group convolution",
            got=f"C={factor}, G={groups} with {in_channels} → {out_channels}",
        )
