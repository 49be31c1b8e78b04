"""A network as a safetensors file: its weights, and in the file's metadata what they belong to.

The verbs hand networks to each other in this form. A safetensors file from elsewhere will do where
the network is named beside it; where only its graph is asked for, so will a .goss or .onnx file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any

from gossamer.errors import DataError, SpecError
from gossamer.images import InputRecord

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gossamer.graph import Graph

_GRAPHS = (".goss", ".onnx")


@dataclass(frozen=True)
class NetworkFile:
    """A network with its weights.

    Args:
        network: name, as `create_model` takes it.
        model: with the weights, in evaluation mode.
        options: what else `create_model` was given.
        record: how a picture becomes the input, if known.
    """

    network: str
    model: nn.Module
    options: dict[str, Any] = field(default_factory=dict)
    record: InputRecord | None = None

    def example(self) -> Tensor:
        """Return zeros (1, C, H, W), of the record's size or of the one the network is made for."""
        from gossamer.nets.registry import NETWORKS

        if self.record is None:
            shape = NETWORKS[self.network].input_shape
        else:
            shape = (self.record.channels, self.record.height, self.record.width)
        return next(self.model.parameters()).new_zeros((1, *shape))


def save_network(path: str | Path, file: NetworkFile) -> None:
    """Write a network; replaces the file in one step."""
    from gossamer.compress.chains import chains, weighted_paths
    from gossamer.compress.modules import described, replaced
    from gossamer.compress.widths import changed, numbers
    from gossamer.nets.create import create_model
    from gossamer.train.checkpoint import write_tensors

    fresh = create_model(file.network, **file.options)
    notes = {
        "network": file.network,
        "options": file.options,
        "record": file.record.to_dict() if file.record else None,
        "widths": changed(numbers(fresh), numbers(file.model)),
        "chains": chains(weighted_paths(fresh), file.model),
        "modules": replaced(described(fresh), described(file.model)),
    }
    write_tensors(path, file.model.state_dict(), notes)


def load_network(name_or_path: str, weights: str | Path | None = None) -> NetworkFile:
    """Read a network: from a file that says what it is, or from a name and a file.

    Raises:
        DataError: if the file is missing, is not safetensors, or does not fit the network.
        SpecError: if nothing says which network it is, or two things disagree.
        UnknownNameError: if there is no such network.
    """
    from gossamer.compress.chains import rebuild
    from gossamer.compress.modules import put_back
    from gossamer.compress.quantise.layers import restore_layers
    from gossamer.compress.widths import resize
    from gossamer.nets.create import create_model
    from gossamer.nets.registry import NETWORKS

    name, path = (None, name_or_path) if weights is None else (name_or_path, weights)
    if name is None and path in NETWORKS and not Path(path).exists():
        raise SpecError(
            "this is a network without weights", where=path, hint="give their file, too"
        )
    if Path(path).suffix.lower() in _GRAPHS:
        raise SpecError(
            "this file holds a graph, not a network to change",
            where=path,
            expected="a safetensors file, as `gossamer train` and `compress` write it",
        )
    tensors, notes = _read(path)
    network = _agree(name, notes.get("network"), path)
    options = dict(notes.get("options") or {})
    record = InputRecord.from_dict(notes["record"]) if notes.get("record") else None
    model = create_model(network, **options)
    if notes.get("chains"):
        rebuild(model, tensors, notes["chains"], where=path)
    restore_layers(model, tensors, where=path)
    if notes.get("modules"):
        put_back(model, notes["modules"], where=path)
    if notes.get("widths"):
        resize(model, tensors, notes["widths"], where=path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(
            f"weights of another network than {network}", where=path, got=short_repr(reason)
        ) from None
    return NetworkFile(network, model.eval(), options, record)


def load_graph(name_or_path: str, weights: str | Path | None = None) -> Graph:
    """Return the graph in a .goss or .onnx file, or that of a network in a safetensors file.

    Raises:
        GossamerError: as `gossamer.load` does, or `load_network` and `gossamer.export`.
    """
    import gossamer

    path = name_or_path if weights is None else weights
    if Path(path).suffix.lower() in _GRAPHS:
        from gossamer.cli.progress import load_tracked

        if weights is not None:
            raise SpecError(
                "the file says which network it is", where=path, hint="leave out the name"
            )
        return load_tracked(path)
    file = load_network(name_or_path, weights)
    return gossamer.export(file.model, file.example(), record=file.record, name=file.network)


def _agree(given: str | None, noted: str | None, path: str | Path) -> str:
    if given and noted and given != noted:
        raise SpecError("the file is of another network", where=path, got=noted, expected=given)
    if not (given or noted):
        raise SpecError(
            "the file does not say which network it is", where=path, hint="give its name before it"
        )
    return str(given or noted)


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors and the notes of a safetensors file."""
    from gossamer.train.checkpoint import read_tensors

    tensors, notes = read_tensors(path)
    match notes:
        case {"options": options} if not isinstance(options, dict):
            pass
        case {"network": network} if not isinstance(network, str):
            pass
        case {}:
            return tensors, notes
    raise DataError("its notes are not those of a network", where=path, got=short_repr(notes))
