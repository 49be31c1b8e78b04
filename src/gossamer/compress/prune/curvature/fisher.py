"""The curvature of the network's loss in blocks: the empirical Fisher matrix."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.collect import chunks
from gossamer.compress.prune.curvature.quadratic import Quadratic, quadratic_of

DAMPING = 1e-2
BLOCK = 128
PICTURES = 256
"""Pictures at most: each one costs a backward pass of its own."""


def fisher_quadratics(
    layers: Layers, evidence: Evidence, *, damping: float = DAMPING, block: int = BLOCK
) -> Iterator[tuple[str, Quadratic]]:
    """Yield for each layer ½ δᵀ F δ with F the mean of g gᵀ in blocks of neighbouring weights.

    g is the gradient of one picture's cross-entropy. The last block is filled up with zeros.

    Source: Singh & Alistarh, "WoodFisher", 2020. They never form F and build its inverse picture by
    picture (`inverse_from_gradients`); with blocks of this size F itself fits, and its Cholesky
    inverse is the same matrix. Their blocks have 2,000 weights, and damping is absolute, 1e-5.

    Args:
        layers: by name.
        evidence: with data; PICTURES of its pictures at most.
        damping: added to the diagonal, as a fraction of its mean.
        block: weights a block.
    """
    sizes = {name: -(-layer.weight.numel() // block) * block**2 for name, layer in layers.items()}
    for chunk in chunks(layers, sizes):
        blocks = _fisher_blocks(chunk, evidence, block)
        for name, layer in chunk.items():
            fisher, shape = blocks.pop(name), layer.weight.shape
            yield name, quadratic_of(layer.weight, fisher, damping=damping, rows=1, shape=shape)


def _fisher_blocks(layers: Layers, evidence: Evidence, block: int) -> dict[str, Tensor]:
    weights = [layer.weight for layer in layers.values()]
    sums = [
        torch.zeros(-(-w.numel() // block), block, block, dtype=torch.float64, device=w.device)
        for w in weights
    ]
    count = min(evidence.count, PICTURES)
    for done, (loss, _) in enumerate(evidence.losses(1), start=1):
        for total, gradient in zip(sums, torch.autograd.grad(loss, weights), strict=True):
            g = gradient.new_zeros(len(total) * block)
            g[: gradient.numel()] = gradient.flatten()
            rows = g.view(-1, block).double()
            total.baddbmm_(rows[:, :, None], rows[:, None, :])
        if done == count:
            break
    return dict(zip(layers, (total / count for total in sums), strict=True))


def inverse_from_gradients(gradients: Tensor, damping: float) -> Tensor:
    """Return (λI + mean g gᵀ)⁻¹, built gradient by gradient.

    H⁻¹ ← H⁻¹ − (H⁻¹g)(H⁻¹g)ᵀ / (N + gᵀH⁻¹g), from H⁻¹ = I/λ.

    Source: Hassibi & Stork 1993, eq. 16 ff.; Singh & Alistarh 2020, section 3.

    Args:
        gradients: (N, d).
        damping: λ > 0.

    Examples:
        >>> inverse_from_gradients(torch.tensor([[1.0, 0.0]]), 1.0)
        tensor([[0.5000, 0.0000],
                [0.0000, 1.0000]])
    """
    count, size = gradients.shape
    result = torch.eye(size, dtype=gradients.dtype) / damping
    for g in gradients:
        product = result @ g
        result -= torch.outer(product, product) / (count + g @ product)
    return result
