"""The search for a cut that keeps what the network computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.channels.blame import guilty
from gossamer.compress.channels.cut import Cut
from gossamer.compress.channels.plan import plan_cut
from gossamer.compress.channels.score import Criterion, unit_scores
from gossamer.compress.channels.select import Share, choose_units, most
from gossamer.compress.channels.units import Structure, find_structure
from gossamer.compress.channels.verify import check_cut
from gossamer.compress.channels.walk import follow
from gossamer.compress.channels.work import work
from gossamer.errors import PassError, VerificationError
from gossamer.graph.from_torch.program import frozen_copy

Holds = Callable[[str], bool]
_NAME = "remove-channels"


class Search:
    """One model, what its channels are tied to, and the groups that turned out to be immovable.

    Args:
        model: left as it is.
        example_inputs: one batch (N, C, H, W).
        holds: whether the outputs of a layer of this name must stay.
    """

    def __init__(self, model: nn.Module, example_inputs: Tensor, holds: Holds) -> None:
        self.model = frozen_copy(model)
        example = example_inputs[:1].detach().cpu().float()
        noise = torch.randn((2, *example.shape[1:]), generator=torch.Generator().manual_seed(0))
        self.inputs = (example, noise)
        self.flow = follow(self.model, example)
        self.held = [
            layer.rows for layer in self.flow.layers if holds(layer.weight.rpartition(".")[0])
        ]

    def settle(self, share: Share, criterion: Criterion) -> tuple[Structure, Cut, np.ndarray]:
        """Return what can go, the cut, and for each unit whether it goes.

        Raises:
            PassError: if so much cannot be removed.
            VerificationError: if no cut keeps what the network computes.
        """
        while True:
            structure = self.structure(share)
            weights = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
            removed = choose_units(structure, unit_scores(structure, weights, criterion), share)
            cut, error = self._attempt(structure, removed)
            if cut is not None:
                return structure, cut, removed
            assert error is not None
            groups = [group for group in structure.groups if removed[group].any()]
            blamed = guilty(groups, partial(self._passes, structure, removed))
            if not blamed:
                raise error
            for group in blamed:
                self._hold(structure, group, str(error))

    def structure(self, share: Share) -> Structure:
        """Return what can go.

        Raises:
            PassError: if that is less than the share.
        """
        structure = find_structure(self.flow, self.held)
        whole = work(structure, np.zeros(structure.count, bool))
        limit = whole.removed(most(structure, share), share.of)
        if limit < share.amount:
            reasons = "; ".join(f"{k}: {v}" for k, v in list(structure.reasons.items())[:3])
            raise PassError(
                f"so large a share of the {share.of} cannot be removed",
                where=_NAME,
                got=f"{share.amount:g}",
                expected=f"at most {limit:.3g}",
                hint=f"what stays, and why: {reasons}" if reasons else None,
            )
        return structure

    def _attempt(
        self, structure: Structure, removed: np.ndarray
    ) -> tuple[Cut | None, VerificationError | None]:
        """Return a cut that passes the comparison, else the first error."""
        first = None
        for edit in (True, False):
            cut = plan_cut(self.model, structure, removed, edit=edit)
            try:
                check_cut(self.model, cut, self.inputs)
            except VerificationError as error:
                first = first or error
            else:
                return cut, None
        return None, first

    def _passes(
        self, structure: Structure, removed: np.ndarray, groups: Sequence[np.ndarray]
    ) -> bool:
        """Return whether the comparison passes with only some groups cut."""
        only = np.zeros_like(removed)
        for group in groups:
            only[group] = removed[group]
        return self._attempt(structure, only)[0] is not None

    def _hold(self, structure: Structure, group: np.ndarray, reason: str) -> None:
        """Let a group stay from now on."""
        for layer in self.flow.layers:
            rows = layer.rows[np.isin(structure.units(layer.rows), group)]
            if len(rows):
                self.flow.frozen.append((rows, reason))
