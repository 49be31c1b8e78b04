"""Remove channels for good: find what belongs together, choose, cut, compare."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from gossamer.compress.channels.cut import Cut, apply_cut, mask
from gossamer.compress.channels.score import Criterion
from gossamer.compress.channels.search import Holds, Search
from gossamer.compress.channels.select import Share
from gossamer.compress.channels.work import Work, work
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criteria.magnitude import magnitude
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.curvature.outputs import fit_outputs
from gossamer.compress.prune.mask import nonzero_masks


@dataclass(frozen=True)
class Removal:
    """What came of it.

    Args:
        model: without the channels; of the same class.
        before: the work of the network as it was.
        after: the work that is left.
        frozen: layer → why some of its channels had to stay.
    """

    model: nn.Module
    before: Work
    after: Work
    frozen: Mapping[str, str]


def remove_channels(
    model: nn.Module,
    example_inputs: Tensor,
    share: Share | None = None,
    *,
    criterion: Criterion = magnitude,
    holds: Holds = lambda name: False,
    evidence: Evidence | None = None,
) -> Removal:
    """Return a copy of a network without its least important channels.

    The network is traced once; channels that are added, multiplied, normalised or moved together go
    together. What an unknown operator reads stays. The result is compared with the network that
    has the same channels at zero; where the code of a module states a number of channels that
    cannot be changed, the channels concerned stay too.

    Args:
        model: left as it is.
        example_inputs: one batch (N, C, H, W) float32.
        share: how much.
        criterion: importance of each entry of a weight; summed over all that goes together.
        holds: whether the outputs of a layer of this name must stay.
        evidence: pictures by which what is left of each layer is fitted to what it gave before;
            without them weights stay as they are.

    Raises:
        PassError: if so much cannot be removed, or the share means nothing.
        UnsupportedOperatorError: if the network cannot be traced.
        VerificationError: if removed and masked channels differ.

    Examples:
        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
        >>> made = remove_channels(net, torch.zeros(1, 3, 8, 8), Share("channels", 0.3))
        >>> made.model[0].weight.shape, made.model[2].weight.shape
        (torch.Size([4, 3, 3, 3]), torch.Size([4, 4, 3, 3]))
    """
    share = share or Share()
    share.check("remove_channels")
    search = Search(model, example_inputs, holds)
    structure, cut, removed = search.settle(share, criterion)
    before = work(structure, np.zeros(structure.count, bool))
    made = deepcopy(model)
    if evidence is not None:
        _fit(made, cut, model, evidence)
    apply_cut(made, cut)
    return Removal(made, before, work(structure, removed), structure.reasons)


def _fit(made: nn.Module, cut: Cut, model: nn.Module, evidence: Evidence) -> None:
    """Set to zero, in place, what the cut takes away, and fit the rest, zeros held."""
    layers = match_layers(mask(made, cut), (".*",), (), where="remove-channels")
    fit_outputs(layers, nonzero_masks(layers), replace(evidence, model=made), parent=model)
