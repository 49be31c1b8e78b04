"""The order in which layers stand in a network, told from their names.

Files sort names by letter, or hold them as their network registered them. The names that
torchvision gives, and with it most files in circulation, tell the order themselves: numbers count
upwards, a convolution `conv1` comes before its norm `bn1` but after one called `norm1`, shortcuts
come after the path they pass by, classifiers last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKEN = re.compile(r"([A-Za-z_]*?)_?(?:(\d+)([a-z]|x\d+)?)?")

# Words at the same number, in the order in which their layers run.
_EARLY = ("", "features", "norm", "conv", "bn", "layer", "inception", "denseblock", "transition")
_EARLY += ("branch", "denselayer", "squeeze", "expand")
# Words that come after all of those, whatever their number; those in one group are alternatives.
_LATE = (("downsample", "shortcut"), ("aux",), ("fc", "linear", "classifier"))


def forward_order(names: Iterable[str]) -> list[str] | None:
    """Return names of layers in the order of the network, or None if a word is not known.

    Examples:
        >>> forward_order(["bn1", "conv1", "fc", "layer1.10.conv1", "layer1.2.conv1"])
        ['conv1', 'bn1', 'layer1.2.conv1', 'layer1.10.conv1', 'fc']
        >>> forward_order(["encoder"]) is None
        True
    """
    keys = {name: [_place(token) for token in name.split(".")] for name in names}
    if any(place is None for places in keys.values() for place in places):
        return None
    return sorted(keys, key=keys.__getitem__)  # type: ignore[arg-type]


def _place(token: str) -> tuple[int, int, int, str] | None:
    """Return what one part of a name is sorted by, or None if its word is not known."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    word, digits, rest = match.groups()
    number, rest = int(digits or -1), rest or ""
    for group, words in enumerate(_LATE, 1):
        if word in words:
            return group, number, 0, rest
    if word not in _EARLY:
        return None
    # DenseNet's norms come before their convolutions, except in the stem, which it counts as 0.
    rank = -1 if (word, number) == ("conv", 0) else _EARLY.index(word)
    return 0, number, rank, rest
