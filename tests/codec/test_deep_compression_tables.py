"""Rates per layer of Han et al. 2016, tables 2 to 5, from gaps of random masks."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.codec.gaps import GapForm, run_gaps, to_symbols
from gossamer.counts import position_bits

# Weights, percent kept, bits of a value, bits of a gap, percent of 32-bit floats (before Huffman).
ROWS = [
    ("lenet-300 ip1", 235_200, 8, 6, 5, 3.1),
    ("lenet-300 ip2", 30_000, 9, 6, 5, 3.8),
    ("lenet-300 ip3", 1_000, 26, 6, 5, 15.7),
    ("lenet-5 conv1", 500, 66, 8, 5, 78.5),
    ("lenet-5 conv2", 25_000, 12, 8, 5, 6.0),
    ("lenet-5 ip1", 400_000, 8, 5, 5, 2.7),
    ("lenet-5 ip2", 5_000, 19, 5, 5, 6.9),
    ("alexnet conv1", 34_848, 84, 8, 4, 32.6),
    ("alexnet conv2", 307_200, 38, 8, 4, 14.5),
    ("alexnet conv3", 884_736, 35, 8, 4, 13.1),
    ("alexnet conv4", 663_552, 37, 8, 4, 14.1),
    ("alexnet conv5", 442_368, 37, 8, 4, 14.0),
    ("alexnet fc6", 37_748_736, 9, 5, 4, 3.0),
    ("alexnet fc7", 16_777_216, 9, 5, 4, 3.0),
    ("alexnet fc8", 4_096_000, 25, 5, 4, 7.3),
    ("vgg conv1_1", 1_728, 58, 8, 5, 40.0),
    ("vgg conv1_2", 36_864, 22, 8, 5, 9.8),
    ("vgg conv2_1", 73_728, 34, 8, 5, 14.3),
    ("vgg conv3_1", 294_912, 53, 8, 5, 21.7),
    ("vgg conv4_2", 2_359_296, 27, 8, 5, 10.9),
    ("vgg conv5_3", 2_359_296, 36, 8, 5, 14.8),
    ("vgg fc6", 102_760_448, 4, 5, 5, 1.6),
    ("vgg fc8", 4_096_000, 23, 5, 5, 7.1),
]
LARGEST = 200_000
"""Larger layers are drawn smaller: only the codebook depends on the size."""


def rate(size: int, density: float, value_bits: int, gap_bits: int, seed: int = 0) -> float:
    """Return the size of a random layer in the paper's form, over that of its floats.

    There a filler is a stored zero, with a value of its own, after 2^b entries.
    """
    drawn = min(size, LARGEST)
    nonzeros = round(density * drawn)
    mask = np.sort(np.random.default_rng(seed).permutation(drawn)[:nonzeros])
    gaps = run_gaps(mask, (drawn,), by_columns=False)
    symbols = nonzeros + int((gaps // 2**gap_bits).sum())
    codes = symbols * (value_bits + gap_bits) / (32 * drawn)
    return codes + 2**value_bits / size


@pytest.mark.parametrize(("layer", "size", "kept", "value_bits", "gap_bits", "percent"), ROWS)
def test_published_rates(layer, size, kept, value_bits, gap_bits, percent):
    found = 100 * rate(size, kept / 100, value_bits, gap_bits)
    # Percentages kept are printed without decimals: half a point, beside the ten percent of the
    # comparison.
    rounding = 0.5 / kept
    assert found == pytest.approx(percent, rel=0.1 + rounding), layer


@pytest.mark.parametrize(("density", "bits"), [(0.02, 4), (0.08, 5), (0.25, 3)])
def test_expected_fillers(density, bits):
    """q^G/(1 − q^G) fillers a nonzero under independent zeros, G what a filler skips."""
    mask = np.flatnonzero(np.random.default_rng(1).random(400_000) < density)
    gaps = run_gaps(mask, (400_000,), by_columns=False)
    form = GapForm(bits)
    fillers = np.count_nonzero(to_symbols(gaps, form) == form.filler)
    skipped = (1 - density) ** form.filler
    assert fillers / len(mask) == pytest.approx(skipped / (1 - skipped), rel=0.02)


@pytest.mark.parametrize(
    ("network", "percent"), [("lenet-300", 3.1), ("lenet-5", 3.05), ("alexnet", 3.7)]
)
def test_published_totals(network, percent):
    rows = [row for row in ROWS if row[0].startswith(network + " ")]
    sizes = [size for _, size, *_ in rows]
    rates = [rate(size, kept / 100, value, gap) for _, size, kept, value, gap, _ in rows]
    assert 100 * np.average(rates, weights=sizes) == pytest.approx(percent, rel=0.08)


# Weights, percent kept, entropy of a value after Huffman coding in bits: tables 2, 3 and 4.
ENTROPIES = {
    2.40: [(235_200, 8, 4.4), (30_000, 9, 4.4), (1_000, 26, 4.3)],
    2.55: [(500, 66, 7.2), (25_000, 12, 7.2), (400_000, 8, 4.5), (5_000, 19, 5.2)],
    2.91: [
        (34_848, 84, 6.3), (307_200, 38, 5.5), (884_736, 35, 5.1), (663_552, 37, 5.2),
        (442_368, 37, 5.6), (37_748_736, 9, 3.9), (16_777_216, 9, 3.6), (4_096_000, 25, 4.0),
    ],
}  # fmt: skip


@pytest.mark.parametrize("percent", ENTROPIES)
def test_the_bound_without_memory(percent):
    """Positions and values at their zero-order entropies, as percent of 32-bit floats."""
    bits = sum(
        position_bits(size, round(size * kept / 100)) + size * kept / 100 * entropy
        for size, kept, entropy in ENTROPIES[percent]
    )
    size = sum(size for size, *_ in ENTROPIES[percent])
    assert 100 * bits / (32 * size) == pytest.approx(percent, abs=0.02)


@pytest.mark.parametrize(
    ("density", "best"), [(0.02, 7), (0.04, 6), (0.1, 5), (0.19, 4), (0.3, 3), (0.5, 2), (0.7, 1)]
)
def test_the_best_width_of_gaps(density, best):
    """For 5-bit values, where fillers carry one: the width that costs least, to half a percent."""
    costs = {bits: rate(10**9, density, 5, bits) for bits in range(1, 9)}
    assert costs[best] <= 1.005 * min(costs.values())
