"""Convolutions and linear layers that round what they read.

They are torch's own layers with the same parameters, and one thing more: the levels of their input,
which their state holds under `_extra_state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.errors import DataError, GossamerError
from gossamer.graph.from_torch.rounding import round_to_levels
from gossamer.graph.ops import Quantise

_STATE = "._extra_state"
_STEP = Quantise(1.0, 0, 0, 1)
_POSITIVE = 2.0**-10
"""What is larger has the sign 1. Sums of as many +α as −α are zero but for rounding, which must not
decide."""


class RoundedInput(nn.Module):
    """A layer whose input is rounded to levels, in training too, where gradients pass."""

    levels: Quantise

    def forward(self, input: Tensor) -> Tensor:
        """Compute the layer of the rounded input."""
        return super().forward(self.read(input))

    def read(self, input: Tensor) -> Tensor:
        """Return the levels that stand for an input."""
        return round_to_levels(input, self.levels)

    def get_extra_state(self) -> Tensor:
        """Return scale, zero point, lowest and highest level."""
        levels = self.levels
        numbers = [levels.scale, levels.zero_point, levels.low, levels.high]
        return torch.tensor(numbers, dtype=torch.float64)

    def set_extra_state(self, state: Any) -> None:
        """Take levels from a state.

        Raises:
            DataError: if they are none.
        """
        self.levels = _levels(state)

    def extra_repr(self) -> str:
        """Return the layer's options and its levels."""
        return f"{super().extra_repr()}, levels={self.levels}"


class RoundedConv2d(RoundedInput, nn.Conv2d):
    """A convolution of levels.

    Examples:
        >>> layer = nn.Conv2d(1, 1, 1)
        >>> round_input(layer, Quantise(0.5, 0, 0, 255))
        >>> layer
        RoundedConv2d(1, 1, kernel_size=(1, 1), stride=(1, 1), levels=Quantise(scale=0.5, ...))
    """


class RoundedLinear(RoundedInput, nn.Linear):
    """A linear layer of levels."""


class SignInput(nn.Module):
    """A layer that reads the signs of its input: −1 or 1; of zero and up to 2⁻¹⁰, −1.

    The gradient passes where −1 ≤ x ≤ 1 (Courbariaux et al. 2016; XNOR-Net, Rastegari et al. 2016,
    section 3.2).
    """

    def forward(self, input: Tensor) -> Tensor:
        """Compute the layer of signs."""
        return super().forward(self.read(input))

    def read(self, input: Tensor) -> Tensor:
        """Return the signs of an input."""
        raised = input / 2 + (0.5 - _POSITIVE / 2)
        return 2 * round_to_levels(raised, _STEP) - 1

    def get_extra_state(self) -> Tensor:
        """Return the one mark of these layers."""
        return torch.ones(1, dtype=torch.float64)

    def set_extra_state(self, state: Any) -> None:
        """Take nothing: there is nothing to choose."""


class SignConv2d(SignInput, nn.Conv2d):
    """A convolution of signs.

    Examples:
        >>> layer = nn.Conv2d(1, 1, 1, bias=False)
        >>> read_signs(layer)
        >>> x = torch.tensor([-3.0, 0.1]).view(2, 1, 1, 1)
        >>> bool((layer(x).flatten() == torch.tensor([-1, 1]) * layer.weight.flatten()).all())
        True
    """


class SignLinear(SignInput, nn.Linear):
    """A linear layer of signs."""


_ROUNDED: Mapping[type, type] = {
    nn.Conv2d: RoundedConv2d,
    nn.Linear: RoundedLinear,
    RoundedConv2d: RoundedConv2d,
    RoundedLinear: RoundedLinear,
}
_SIGNED: Mapping[type, type] = {
    nn.Conv2d: SignConv2d,
    nn.Linear: SignLinear,
    SignConv2d: SignConv2d,
    SignLinear: SignLinear,
    RoundedConv2d: SignConv2d,
    RoundedLinear: SignLinear,
}


def can_round(layer: nn.Module) -> bool:
    """Whether a layer's input can be rounded: it is a plain layer, or rounds its input already."""
    return type(layer) in _ROUNDED


def round_input(layer: nn.Module, levels: Quantise) -> None:
    """Make a plain layer one that rounds its input; parameters and hooks stay as they are."""
    layer.__class__ = _ROUNDED[type(layer)]
    layer.levels = levels  # type: ignore[assignment]


def read_signs(layer: nn.Module) -> None:
    """Make a plain layer one that reads signs; parameters and hooks stay as they are."""
    layer.__class__ = _SIGNED[type(layer)]


def restore_layers(model: nn.Module, tensors: Mapping[str, Any], *, where: object) -> nn.Module:
    """Make the layers of a network fresh from its class round where a stored state says so.

    Args:
        model: changed in place; `load_state_dict` does the rest.
        tensors: the state.
        where: the file, for messages.

    Raises:
        DataError: if the state's levels are none, or belong to no plain layer.
    """
    for key, state in tensors.items():
        if not key.endswith(_STATE):
            continue
        try:
            layer = model.get_submodule(key.removesuffix(_STATE))
            if state.numel() == 1:
                read_signs(layer)
            else:
                round_input(layer, _levels(state))
        except (AttributeError, KeyError, GossamerError) as error:
            raise DataError("levels that fit no layer", where=where, got=error) from None
    return model


def _levels(state: Any) -> Quantise:
    numbers = state.tolist() if isinstance(state, Tensor) and state.shape == (4,) else None
    if numbers is None or any(number != int(number) for number in numbers[1:]):
        raise DataError("no levels", got=numbers)
    return Quantise(numbers[0], *(int(number) for number in numbers[1:]))
