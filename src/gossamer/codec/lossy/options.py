"""How to code weights at a distortion."""

from __future__ import annotations

from dataclasses import dataclass

from gossamer.errors import SpecError


@dataclass(frozen=True)
class LossyOptions:
    """Options of coding at a distortion; the defaults are what `docs/design/0021` measured.

    Args:
        thrift: how much of a level's price counts when it is chosen, 0…1: 1 is the Lagrangian to
            the letter, 0 rounds to the nearest level. Cheap levels are small levels, so thrift
            shrinks what the layers give, and such errors add up from layer to layer.
        rounds: how often a layer's levels are chosen, each time with the prices that the levels
            before have made, ≥ 1.
        damping: added to the diagonal of second moments, as a fraction of its mean, > 0.
        places: most windows of a layer's input that its moments are taken from, ≥ 1.
        probes: images on which it is measured how much a layer's error changes the output, ≥ 1.
        seed: of which windows, and of the errors tried.
        trellis: whether levels have lowest bits that are told by those before them, where no weight
            is zero (`gossamer.codec.parity`); costs time, saves bytes.

    Raises:
        SpecError: if an option is out of range.

    Examples:
        >>> LossyOptions(thrift=0.0).rounds
        2
    """

    thrift: float = 0.2
    rounds: int = 2
    damping: float = 1e-3
    places: int = 2**15
    probes: int = 64
    seed: int = 0
    trellis: bool = True

    def __post_init__(self) -> None:
        for name, least in (("rounds", 1), ("places", 1), ("probes", 1), ("seed", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise SpecError(f"bad {name}", got=value, expected=f"an integer ≥ {least}")
        if type(self.trellis) is not bool:
            raise SpecError("bad trellis", got=self.trellis, expected="True or False")
        if not 0 < self.damping < 1e6:
            raise SpecError("bad damping", got=self.damping, expected="> 0")
        if not 0 <= self.thrift <= 1:
            raise SpecError("bad thrift", got=self.thrift, expected="0…1")
