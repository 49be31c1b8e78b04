"""Finished passes on disk, so that an interrupted compression goes on where it stood."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from gossamer.compress.chains import chains, rebuild, weighted_paths
from gossamer.compress.contract import Pass
from gossamer.compress.ledger import LedgerEntry
from gossamer.compress.quantise.layers import restore_layers
from gossamer.compress.recipe import recipe_to_dict
from gossamer.compress.widths import changed, numbers, resize
from gossamer.errors import PassError
from gossamer.train.checkpoint import read_tensors, write_tensors


class PassStore:
    """A folder with one safetensors file a finished pass.

    Each file states the passes up to its own, the seed, and a fingerprint of the network that the
    compression began with, so that nothing is mixed up.

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

    def save(self, index: int, model: nn.Module, entry: LedgerEntry) -> None:
        """Store the network after pass `index`."""
        widths = changed(self.numbers, numbers(model))
        shape = {"widths": widths, "chains": chains(self.layers, model)}
        notes = {**self._origin(index), "entry": entry.to_dict(), **shape}
        write_tensors(self._path(index), model.state_dict(), notes)

    def restore(self, model: nn.Module) -> tuple[LedgerEntry, ...]:
        """Load the last finished pass into the model and return the entries so far.

        Raises:
            PassError: if a file belongs to another recipe, seed or network.
            DataError: if a file is damaged.
        """
        entries: list[LedgerEntry] = []
        tensors, widths, links = None, {}, {}
        while len(entries) < len(self.recipe) and (path := self._path(len(entries))).exists():
            tensors, notes = read_tensors(path)
            if {key: notes.get(key) for key in self._origin(0)} != self._origin(len(entries)):
                raise PassError(
                    "the finished pass belongs to another recipe, seed or network",
                    where=path,
                    hint="remove the folder, or compress without resume",
                )
            widths, links = notes.get("widths", {}), notes.get("chains", {})
            entries.append(LedgerEntry.from_dict(notes["entry"]))
        if tensors is not None:
            rebuild(model, tensors, links, where=self.folder)
            restore_layers(model, tensors, where=self.folder)
            resize(model, tensors, widths, where=self.folder).load_state_dict(tensors)
        return tuple(entries)

    def _path(self, index: int) -> Path:
        return self.folder / f"pass-{index}-{self.recipe[index].name}.safetensors"

    def _origin(self, index: int) -> dict[str, object]:
        passes = recipe_to_dict(self.recipe[: index + 1])
        return {"recipe": passes, "seed": self.seed, "parent": self.parent}


def _fingerprint(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in model.state_dict().items():
        digest.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
