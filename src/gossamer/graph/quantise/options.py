"""How to quantise."""

from __future__ import annotations

from dataclasses import dataclass

from gossamer.errors import SpecError

CALIBRATIONS = ("minmax", "percentile", "mse")


@dataclass(frozen=True)
class QuantiseOptions:
    """Options of post-training quantisation.

    Args:
        calibration: from what of the values seen to what their levels go: "minmax", from the
            smallest to the largest; "percentile", leaving out a few on each side; "mse", so that
            the mean squared error of rounding is smallest.
        percentile: how many percent of the values lie below the highest level, 50…100.
        weight_bits: of the integers of weights, 2…8. Seven where a processor adds products of bytes
            in 16 bits and would overflow (x86-64 without VNNI).
        signed: whether levels are −128…127 instead of 0…255.

    Raises:
        SpecError: if an option is out of range.

    Examples:
        >>> QuantiseOptions(weight_bits=4).largest_weight
        7
    """

    calibration: str = "mse"
    percentile: float = 99.99
    weight_bits: int = 8
    signed: bool = False

    def __post_init__(self) -> None:
        if self.calibration not in CALIBRATIONS:
            raise SpecError("unknown calibration", got=self.calibration, expected=CALIBRATIONS)
        if not 50 <= self.percentile <= 100:
            raise SpecError("bad percentile", got=self.percentile, expected="50…100")
        if type(self.weight_bits) is not int or not 2 <= self.weight_bits <= 8:
            raise SpecError("bad weight_bits", got=self.weight_bits, expected="2…8")

    @property
    def largest_weight(self) -> int:
        """The largest integer of a weight; the smallest is its negative."""
        return 2 ** (self.weight_bits - 1) - 1
