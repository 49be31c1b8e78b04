"""What a pass is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from torch import Tensor, nn

from gossamer.errors import PassError
from gossamer.train.data import Data
from gossamer.train.history import EpochRecord
from gossamer.train.recipe import Recipe


def _unheard(key: str, said: float | str) -> None:
    """Take no note."""


@dataclass(frozen=True)
class Context:
    """What every pass of one compression is given.

    Args:
        example_inputs: one batch (N, C, H, W) float32.
        data: for retraining and for the statistics of norms; None without.
        seed: of everything random; it replaces the seed of training recipes.
        progress: show bars on a terminal.
        time_ms: of a module on an input (1, C, H, W) or (1, F), for passes that choose by time.
        tell: takes what a pass found while it worked: a number under the name that it is to have
            in the ledger beside what was asked, or a sentence under the name of a layer.
        parent: the network as it was before the first pass, for teaching and comparing; it is not
            to be changed.
        checkpoints: a file for each training of the pass, in order, so that it can be resumed;
            `gossamer.compress.train_on.train_on` uses them.
        on_epoch: called with the record of each epoch that the pass trains; see `gossamer.fit`.
    """

    example_inputs: Tensor
    data: Data | None = None
    seed: int = 0
    progress: bool = True
    time_ms: Callable[[nn.Module, Tensor], float] | None = None
    tell: Callable[[str, float | str], None] = _unheard
    parent: nn.Module | None = None
    checkpoints: Iterator[Path] | None = None
    on_epoch: Callable[[EpochRecord], object] | None = None


class Pass(Protocol):
    """A frozen dataclass of typed options, all with defaults; it leaves no wrapper in the model.

    A layer may become an `nn.Sequential` of convolutions, linear layers and channel shuffles
    (`gossamer.compress.chains` stores those), and these may round what they read
    (`gossamer.compress.quantise.layers`); an activation may become one of
    `gossamer.compress.modules`; everything else keeps its class.
    """

    name: ClassVar[str]

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        ...

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Return the changed model: the one given, or another of its class."""
        ...

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return in numbers what came of the options."""
        ...


def check_data(name: str, training: Recipe, context: Context) -> None:
    """Raise PassError if a pass is to retrain and has nothing to retrain on."""
    if training.epochs > 0 and context.data is None:
        raise PassError(
            "retraining needs data",
            where=name,
            got=f"{training.epochs} epochs and no data",
            hint="pass data=…, or set training.epochs to 0",
        )
