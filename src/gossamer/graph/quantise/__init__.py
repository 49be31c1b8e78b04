"""Post-training static quantisation: a float32 graph and some images → weights and values in int8.

`places` says which values are rounded and which share their levels, `ranges` watches what values
occur, `levels` chooses levels for them, `weights` rounds weights and biases. What levels mean, and
why so, is in `docs/design/0006-levels.md`.
"""

from gossamer.graph.quantise.options import QuantiseOptions
from gossamer.graph.quantise.quantise import quantise

__all__ = ["QuantiseOptions", "quantise"]
