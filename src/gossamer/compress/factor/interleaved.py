"""A convolution as group convolutions with channel shuffles between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from math import log, prod
from typing import ClassVar

import torch
from torch import Tensor

from gossamer.compress.factor.fit_blocks import block_energies, fit_blocks
from gossamer.compress.factor.method import Candidate, Choice
from gossamer.compress.factor.product import fit_product, output_loss, product
from gossamer.compress.factor.stage import Stage, Stages
from gossamer.compress.factor.svd import even
from gossamer.compress.factor.target import Target

DAMPING = 1e-3
_PROJECTED = 6  # partitions of more than two factors that are tried, of each kind


class Interleaved:
    """Window in g groups, shuffle, 1×1 in m groups: a dense kernel as a product of sparse ones.

    Every pair of a first and a second group is joined by e channels, so that each input reaches
    each output by e paths: the complementary condition of interleaved group convolutions. Weights:
    e·(m·C·R·S + g·K). With g = m = 1 this is the SVD; with g = C and m = 1 a depthwise separable
    convolution; with e = 1 IGCV1. The values minimise the error of the layer's outputs, see
    `fit_blocks`.

    More factors split the last 1×1 convolution again, each group on its own, by the balance
    condition of IGCV2: a group of p inputs and q outputs becomes √p groups of √q outputs each, a
    shuffle, and √q groups; one path joins an input and an output. All factors are then fitted
    together by a short descent.

    Sources: Zhang et al., "Interleaved Group Convolutions", 2017; Xie et al., "IGCV2", 2018. They
    train such blocks from scratch; here they are fitted to a trained dense layer.

    Args:
        target: the layer.
        factors: group convolutions, ≥ 2.
        primary: g, or 0 to choose one > 1.
        secondary: m, or 0 to choose one > 1.
    """

    needs_data: ClassVar[bool] = True

    def __init__(
        self, target: Target, factors: int = 2, primary: int = 0, secondary: int = 0
    ) -> None:
        self.target, self.factors = target, factors
        channels, kernels = target.stage.in_channels, target.stage.out_channels
        self.parts = [g for g in _divisors(channels) if primary == g or (primary == 0 and g > 1)]
        self.rows = [m for m in _divisors(kernels) if secondary == m or (secondary == 0 and m > 1)]

    def reason(self) -> str | None:
        """Return why the method is not for this layer, or None."""
        stage = self.target.stage
        if stage.kernel is None:
            return "channel shuffles are for pictures"
        if stage.groups > 1:
            return f"it has {stage.groups} groups already"
        widths = f"{stage.in_channels} to {stage.out_channels} channels"
        return None if self.parts and self.rows else f"{widths} do not divide so"

    def least(self, multiple: int) -> Choice:
        """Return the cheapest partition."""
        pairs = [(g, m, multiple) for g in self.parts for m in self.rows]
        return min(pairs, key=lambda choice: self.target.macs(self.stages(choice)))

    def stages(self, choice: Choice) -> Stages:
        """Return the group convolutions."""
        parts, rows, _ = choice
        stage, width = self.target.stage, prod(choice)
        first = replace(stage.between(stage.in_channels, width, parts), shuffle=parts)
        last = stage.point(width, stage.out_channels, rows)
        inner: list[Stage] = []
        for columns, splits in self._splits(choice):
            middle = last.groups * columns * splits
            shuffled = stage.point(last.in_channels, middle, last.groups * columns)
            inner.append(replace(shuffled, shuffle=last.groups * columns))
            last = stage.point(middle, stage.out_channels, last.groups * splits)
        return (first, *inner, last)

    def _splits(self, choice: Choice) -> Iterator[tuple[int, int]]:
        """Yield for each further factor the parts of a group's inputs and of its outputs."""
        parts, rows, rank = choice
        inputs, outputs = parts * rank, self.target.stage.out_channels // rows
        for _ in range(self.factors - 2):
            columns, splits = _middle_divisor(inputs), _middle_divisor(outputs)
            yield columns, splits
            inputs, outputs = columns, outputs // splits

    @cached_property
    def moment(self) -> Tensor:
        """Return the second moments of the inputs (F, F), positive definite; ones for dead taps."""
        assert self.target.moment is not None, "the pass asked for data"
        moment = damped(self.target.moment[0])
        dead = (self.target.matrix[0] == 0).all(0)
        moment = moment.masked_fill(dead[:, None] | dead, 0.0)
        return moment + torch.diag(dead.to(moment.dtype))

    def candidates(self, multiple: int) -> list[Candidate]:
        """Return all partitions, each with all numbers of paths.

        With more than two factors, fewer of them, whose loss is then that of their projection.
        """
        found: list[Candidate] = []
        for parts in self.parts:
            for rows in self.rows:
                energies = block_energies(self._wanted, self.moment, parts, rows).sum((0, 1))
                tails = 1 - energies.cumsum(0) / energies.sum()
                ranks = range(multiple, len(tails) + 1, multiple)
                found += [Candidate((parts, rows, e), max(float(tails[e - 1]), 0)) for e in ranks]
        return found if self.factors == 2 else self._projected(found)

    def _projected(self, found: list[Candidate]) -> list[Candidate]:
        """Return the best of two factors at some costs, with what more factors lose."""
        few = [one for one in found if one.choice[2] == 1]
        chosen = {one.choice for some in (few, found) for one in self._frontier(some)}
        losses = {
            choice: output_loss(
                product(self.stages(choice), self._projection(choice)), self._wanted, self.moment
            )
            for choice in sorted(chosen)
        }
        return [Candidate(choice, min(float(loss), 1.0)) for choice, loss in losses.items()]

    def _frontier(self, found: list[Candidate]) -> list[Candidate]:
        """Return some candidates than which none is both cheaper and better."""
        frontier: list[Candidate] = []
        dense = self.target.stage.weights
        for one in sorted(found, key=lambda one: self._weights(one.choice)):
            fits = self._weights(one.choice) < dense
            if fits and (not frontier or one.loss < frontier[-1].loss):
                frontier.append(one)
        return frontier[:: -(-len(frontier) // _PROJECTED) or 1]

    def _weights(self, choice: Choice) -> int:
        return sum(stage.weights for stage in self.stages(choice))

    def noise_choice(self, multiple: int) -> Choice | None:
        """Noise says nothing about partitions, and `Interleave` does not offer it."""
        raise NotImplementedError

    @property
    def _wanted(self) -> Tensor:
        return self.target.matrix[0]

    def weights(self, choice: Choice) -> list[Tensor]:
        """Return a weight for each stage, fitted to the layer's outputs."""
        weights = self._projection(choice)
        if self.factors == 2:
            return weights  # they are the best by turns
        return fit_product(self.stages(choice), weights, self._wanted, self.moment)

    def _projection(self, choice: Choice) -> list[Tensor]:
        """Return the best two factors, the last of them split as often as asked."""
        parts, rows, rank = choice
        splits = list(self._splits(choice))
        # Each split moves a digit of the outputs' numbers to the front, so it is taken from there.
        digits, last = [count for _, count in reversed(splits)], len(splits)
        weight = self.target.matrix.unflatten(1, (*digits, rows, -1))
        weight = weight.permute(0, 1 + last, *range(last, 0, -1), 2 + last, 3 + last).flatten(1, -2)
        first, second, moment = factor_blocks(weight, self.moment[None], parts, rows, rank)
        weights = [first]
        for columns, count in splits:
            inner, second, moment = factor_blocks(second, damped(moment), columns, count, 1)
            weights.append(inner)
        return [*weights, second]


def factor_blocks(
    weight: Tensor, moment: Tensor, parts: int, rows: int, rank: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return two group convolutions whose product, a shuffle between, is near block-diagonal W.

    Args:
        weight: (B, q, p): B groups from p inputs to q outputs.
        moment: (B, p, p) positive definite, of the inputs.
        parts: g, into which each group's inputs fall.
        rows: m, into which each group's outputs fall.
        rank: e, paths; 1 if B > 1.

    Returns:
        The first weight (B·g·m·e, p/g) in B·g groups, to be followed by a shuffle of as many; the
        second in m·B groups (m·B, q/m, e·g), whose outputs are numbered by m, then B; and the
        second moments of its inputs (m·B, e·g, e·g).
    """
    blocks = fit_blocks(weight, moment, parts, rows, rank)
    first, last = even(blocks.first, blocks.last)  # (B, g, m, e, p/g), (B, g, m, q/m, e)
    tiles = moment.unflatten(2, (parts, -1)).unflatten(1, (parts, -1))
    moved = torch.einsum("xgmif,xgfhk,xhmjk->mxigjh", first, tiles, first)
    second = last.permute(2, 0, 3, 4, 1).flatten(3).flatten(0, 1)
    return first.flatten(0, 3), second, moved.flatten(4).flatten(2, 3).flatten(0, 1)


def damped(moment: Tensor) -> Tensor:
    """Return moments (…, F, F) with a part of the mean of their diagonals added to those."""
    added = DAMPING * moment.diagonal(dim1=-2, dim2=-1).mean(-1) + 1e-12
    return moment + added[..., None, None] * torch.eye(moment.shape[-1], dtype=moment.dtype)


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


def _middle_divisor(number: int) -> int:
    """Return the divisor nearest to the square root, in proportion."""
    return min(_divisors(number), key=lambda d: abs(log(d) - log(number) / 2))
