"""Closed forms of interleaved group convolutions: widths, weights, MACs, and what is best.

S is the number of taps of the spatial convolution (9 for 3×3). *Weights* are those of the
convolutions of one block, norms not counted; MACs are weights times positions.

Sources: Zhang et al., "Interleaved Group Convolutions", 2017, section 3 (IGCV1); Xie et al.,
"IGCV2", 2018, section 4; Sun et al., "IGCV3", 2018, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, e, floor, log, sqrt


def regular_weights(width: int, taps: int = 9) -> int:
    """Return S·C², the weights of a regular convolution that keeps the width.

    Examples:
        >>> regular_weights(16)
        2304
    """
    return taps * width**2


def igcv1_weights(primary: int, secondary: int, taps: int = 9) -> int:
    """Return L·M²·S + M·L² = G²·(S/L + 1/M) with G = L·M.

    Args:
        primary: L, groups of the spatial convolution.
        secondary: M, groups of the 1×1 convolution.
        taps: S.

    Examples:
        >>> igcv1_weights(2, 3, taps=25), regular_weights(6, taps=25)
        (462, 900)
    """
    return primary * secondary**2 * taps + secondary * primary**2


def igcv2_weights(width: int, group_sizes: Sequence[int], taps: int = 9) -> int:
    """Return C·(S·K_1 + K_2 + … + K_L).

    Args:
        width: C.
        group_sizes: K_1, …, K_L, channels a group.
        taps: S.

    Examples:
        >>> igcv2_weights(64, [1, 8, 8])
        1600
    """
    return width * (taps * group_sizes[0] + sum(group_sizes[1:]))


def igcv3_weights(
    in_channels: int,
    out_channels: int,
    expansion: int = 6,
    groups: tuple[int, int] = (2, 2),
    taps: int = 9,
) -> int:
    """Return t·C·(C/G1 + S + K/G2).

    Args:
        in_channels: C, a multiple of G1.
        out_channels: K, a multiple of G2.
        expansion: t.
        groups: G1 and G2.
        taps: S.

    Examples:
        >>> igcv3_weights(24, 32)
        5328
    """
    wide = expansion * in_channels
    return wide * (in_channels // groups[0] + taps + out_channels // groups[1])


def block_macs(weights: int, output_size: tuple[int, int]) -> int:
    """Return the MACs of an IGCV1 or IGCV2 block: its weights times H·W of its output.

    Every convolution of such a block works at the output size, at any stride.

    Examples:
        >>> block_macs(igcv1_weights(24, 2), (32, 32))
        2064384
    """
    return weights * output_size[0] * output_size[1]


def igcv3_macs(
    in_channels: int,
    out_channels: int,
    input_size: tuple[int, int],
    *,
    expansion: int = 6,
    groups: tuple[int, int] = (2, 2),
    stride: int = 1,
    taps: int = 9,
) -> int:
    """Return the MACs of an IGCV3 block; its expansion works at the input size.

    Examples:
        >>> igcv3_macs(24, 24, (8, 8)) == 64 * igcv3_weights(24, 24)
        True
    """
    wide = expansion * in_channels
    before = input_size[0] * input_size[1]
    after = ceil(input_size[0] / stride) * ceil(input_size[1] / stride)
    rest = wide * (taps + out_channels // groups[1])
    return before * wide * (in_channels // groups[0]) + after * rest


def igcv3_paths(in_channels: int, expansion: int = 6, groups: tuple[int, int] = (2, 2)) -> int:
    """Return t·C / (G1·G2), the paths between any input and any output of an IGCV3 block.

    Examples:
        >>> igcv3_paths(24)
        36
    """
    return expansion * in_channels // (groups[0] * groups[1])


def is_wider_than_regular(primary: int, secondary: int, taps: int = 9) -> bool:
    """Return whether an IGCV1 block is wider than a regular convolution of as many weights.

    G > C at S·C² = G²·(S/L + 1/M), which is L / (L − 1) < M·S.

    Examples:
        >>> is_wider_than_regular(24, 2), is_wider_than_regular(1, 48)
        (True, False)
    """
    return primary < secondary * taps * (primary - 1)


def igcv1_width_bound(weights: int, taps: int = 9) -> float:
    """Return the greatest width that an IGCV1 block of at most `weights` weights can have.

    (T / (2·√S))^(2/3), reached where L = M·S: by the inequality of the two means,
    L·M·(M·S + L) ≥ 2·√S·G^(3/2).

    Examples:
        >>> round(igcv1_width_bound(4672), 1)
        84.6
    """
    return (weights / (2 * sqrt(taps))) ** (2 / 3)


def is_widest(primary: int, secondary: int, taps: int = 9) -> bool:
    """Return whether L = M·S, where an IGCV1 block is as wide as its weights allow.

    Examples:
        >>> is_widest(18, 2), is_widest(24, 2)
        (True, False)
    """
    return primary == secondary * taps


def best_primary(weights: int, secondary: int, taps: int = 9) -> int:
    """Return the largest L with `igcv1_weights(L, M)` ≤ `weights`; 0 if there is none.

    Examples:
        >>> best_primary(4672, 2), best_primary(17536, 1)
        (40, 128)
    """
    half = secondary * taps / 2
    guess = max(0, floor(sqrt(half**2 + weights / secondary) - half) - 1)
    while igcv1_weights(guess + 1, secondary, taps) <= weights:
        guess += 1
    return guess


def igcv2_weight_bound(width: int, layers: float, taps: int = 9) -> float:
    """Return C·L·(S·C)^(1/L), which no IGCV2 block with ∏ K_l = C goes below.

    Examples:
        >>> [round(igcv2_weight_bound(64, layers), 1) for layers in (1, 3, 6, 7)]
        [36864.0, 1597.5, 1107.6, 1110.8]
    """
    return width * layers * (taps * width) ** (1 / layers)


def balanced_group_size(width: int, layers: int, taps: int = 9) -> float:
    """Return (S·C)^(1/L), the common value of S·K_1, K_2, …, K_L in a balanced block.

    Examples:
        >>> round(balanced_group_size(729, 2), 6)
        81.0
    """
    return (taps * width) ** (1 / layers)


def is_balanced(group_sizes: Sequence[int], taps: int = 9) -> bool:
    """Return whether S·K_1 = K_2 = … = K_L, where the weights are fewest for C = ∏ K_l.

    Examples:
        >>> is_balanced([1, 9, 9]), is_balanced([1, 8, 8])
        (True, False)
    """
    return len({taps * group_sizes[0], *group_sizes[1:]}) == 1


def best_layers(width: int, taps: int = 9) -> float:
    """Return ln(S·C), the number of layers at which a balanced block has the fewest weights.

    It minimises `igcv2_weight_bound` over real L; the minimum is e·C·ln(S·C). The papers' most
    accurate networks use fewer layers.

    Examples:
        >>> round(best_layers(64), 2)
        6.36
    """
    return log(taps * width)


def best_whole_layers(width: int, taps: int = 9) -> int:
    """Return the whole number of layers at which a balanced block has the fewest weights.

    Examples:
        >>> best_whole_layers(64)
        6
    """
    low = max(1, floor(best_layers(width, taps)))
    return min((low, low + 1), key=lambda layers: igcv2_weight_bound(width, layers, taps))


def least_weights(width: int, taps: int = 9) -> float:
    """Return e·C·ln(S·C), the least that any balanced block can have, at L = ln(S·C).

    Examples:
        >>> round(least_weights(64), 1)
        1105.8
    """
    return e * width * best_layers(width, taps)
