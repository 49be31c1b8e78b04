"""Finished passes, and trainings of the next, on disk: an interrupted compression goes on there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from torch import Tensor, nn

from gossamer.compress.chains import chains, rebuild, weighted_paths
from gossamer.compress.contract import Pass
from gossamer.compress.ledger import LedgerEntry
from gossamer.compress.modules import described, put_back, replaced
from gossamer.compress.quantise.layers import restore_layers
from gossamer.compress.recipe import recipe_to_dict
from gossamer.compress.widths import changed, numbers, resize
from gossamer.errors import DataError, PassError
from gossamer.replacing import replacing
from gossamer.train.checkpoint import read_tensors, write_tensors

TimeMs = Callable[[nn.Module, Tensor], float]


class PassStore:
    """A folder with one safetensors file a finished pass, and of an unfinished one its trainings.

    Each file of a pass states the passes up to its own, the seed, and a fingerprint of the network
    that the compression began with, so that nothing is mixed up. Trainings, and times that were
    measured, have a digest of the same in their names; they go when their pass is finished.

    Args:
        folder: made when the first pass is stored.
        model: the network before the first pass.
        recipe: all passes.
        seed: of the compression.
    """

    def __init__(self, folder: Path, model: nn.Module, recipe: Sequence[Pass], seed: int) -> None:
        self.folder, self.recipe, self.seed = folder, recipe, seed
        self.parent, self.numbers = _fingerprint(model), numbers(model)
        self.layers = weighted_paths(model)
        self.modules = described(model)

    def save(self, index: int, model: nn.Module, entry: LedgerEntry) -> None:
        """Store the network after pass `index`."""
        widths = changed(self.numbers, numbers(model))
        shape = {"widths": widths, "chains": chains(self.layers, model)}
        notes = {**self._origin(index), "entry": entry.to_dict(), **shape}
        notes["modules"] = replaced(self.modules, described(model))
        write_tensors(self._path(index), model.state_dict(), notes)
        self.forget(index)

    def trainings(self, index: int) -> Iterator[Path]:
        """Yield a file for each training of pass `index`, in order."""
        name, digest = self._path(index).stem, self._digest(index)
        return (self.folder / f"{name}.training-{n}-{digest}.safetensors" for n in count())

    def clock(self, index: int, time_ms: TimeMs) -> TimeMs:
        """Return a clock that writes down what it measures for pass `index`, and reads it again.

        No time is measured twice alike: without this, a pass played again could choose otherwise,
        and what it has trained would not fit.
        """
        path = self.folder / f"{self._path(index).stem}.times-{self._digest(index)}.json"
        known: list[float] = _read_times(path) if path.exists() else []
        answers = iter(tuple(known))

        def remembered(module: nn.Module, x: Tensor) -> float:
            if (answer := next(answers, None)) is None:
                answer = float(time_ms(module, x))
                known.append(answer)
                self.folder.mkdir(parents=True, exist_ok=True)
                with replacing(path) as partial:
                    partial.write_text(json.dumps(known))
            return answer

        return remembered

    def forget(self, index: int) -> None:
        """Remove the files of the trainings and times of pass `index`."""
        for kind in ("training-*.safetensors", "times-*.json"):
            for path in self.folder.glob(f"{self._path(index).stem}.{kind}"):
                path.unlink()

    def restore(self, model: nn.Module) -> tuple[LedgerEntry, ...]:
        """Load the last finished pass into the model and return the entries so far.

        Raises:
            PassError: if a file belongs to another recipe, seed or network.
            DataError: if a file is damaged.
        """
        entries: list[LedgerEntry] = []
        tensors, widths, links, modules = None, {}, {}, {}
        while len(entries) < len(self.recipe) and (path := self._path(len(entries))).exists():
            tensors, notes = read_tensors(path)
            if {key: notes.get(key) for key in self._origin(0)} != self._origin(len(entries)):
                raise PassError(
                    "the finished pass belongs to another recipe, seed or network",
                    where=path,
                    hint="remove the folder, or compress without resume",
                )
            widths, links = notes.get("widths", {}), notes.get("chains", {})
            modules = notes.get("modules", {})
            entries.append(LedgerEntry.from_dict(notes["entry"]))
        if tensors is not None:
            rebuild(model, tensors, links, where=self.folder)
            restore_layers(model, tensors, where=self.folder)
            put_back(model, modules, where=self.folder)
            resize(model, tensors, widths, where=self.folder).load_state_dict(tensors)
        return tuple(entries)

    def _path(self, index: int) -> Path:
        return self.folder / f"pass-{index}-{self.recipe[index].name}.safetensors"

    def _digest(self, index: int) -> str:
        origin = json.dumps(self._origin(index), sort_keys=True)
        return hashlib.sha256(origin.encode()).hexdigest()[:12]

    def _origin(self, index: int) -> dict[str, object]:
        passes = recipe_to_dict(self.recipe[: index + 1])
        return {"recipe": passes, "seed": self.seed, "parent": self.parent}


def _read_times(path: Path) -> list[float]:
    try:
        return [float(time) for time in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise DataError("not times that were written down", where=path, got=error) from None


def _fingerprint(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in model.state_dict().items():
        digest.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
